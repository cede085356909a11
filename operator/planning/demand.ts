/** What a load asks for, in requests and tokens. */
import type { Load } from './load.ts';

const SECONDS_PER_DAY = 86_400;

/** Hours of a month, as clouds bill them. */
export const HOURS_PER_MONTH = 730;

export interface Demand {
  /** Mean rate. */
  requestsPerSecond: number;
  peakFactor: number;
  /** Rate at the peak, which the replicas are sized for. */
  peakRequestsPerSecond: number;
  peakPromptTokensPerSecond: number;
  peakOutputTokensPerSecond: number;
  /** Prompt and output together. */
  tokensPerMonth: number;
}

/** The rates of a load. Peaks are those of the stated factor; without one, 3 for a number per day and 1 for one per second. */
export function demandOf(load: Load): Demand {
  const { requestsPerDay, promptTokens, outputTokens } = load;
  const mean = load.requestsPerSecond ?? (requestsPerDay ?? 0) / SECONDS_PER_DAY;
  const peakFactor = load.peakFactor ?? (requestsPerDay === undefined ? 1 : 3);
  const peak = mean * peakFactor;
  return {
    requestsPerSecond: mean,
    peakFactor,
    peakRequestsPerSecond: peak,
    peakPromptTokensPerSecond: peak * promptTokens,
    peakOutputTokensPerSecond: peak * outputTokens,
    tokensPerMonth: mean * (promptTokens + outputTokens) * HOURS_PER_MONTH * 3600,
  };
}
