/** The speed of a replica as a load generator has measured it, instead of a prediction. Times are in seconds. */
import type { SpecIssue } from '../values/spec-issue.ts';
import type { AcceleratorProduct } from '../vllm/accelerators.ts';
import type { Load } from './load.ts';
import type { EnginePerformance, Performance } from './performance.ts';

/** What one replica did at a rate that it kept up with. */
export interface MeasuredRate {
  requestsPerSecond: number;
  latencySeconds: number;
  latencySecondsP99: number;
  firstTokenSeconds: number;
  firstTokenSecondsP99: number;
  tokenSeconds: number;
  tokenSecondsP99: number;
}

/** Measurements of one replica: the load, and the accelerators that it ran on. */
export interface Measurement {
  product: AcceleratorProduct;
  /** Accelerators of the replica. */
  count: number;
  /** Where it comes from, for messages. */
  source: string;
  promptTokens: number;
  outputTokens: number;
  /** Not empty. */
  rates: readonly MeasuredRate[];
}

/** Share by which the tokens of a measurement may differ from those of the load, and tokens that chat templates add. */
const ALIKE = 0.1;
const TEMPLATE_TOKENS = 50;

/** Why a measurement says nothing of a load, if it does not. */
export function measurementIssue(measured: Measurement, load: Load): SpecIssue | undefined {
  const prompt = Math.abs(measured.promptTokens - load.promptTokens);
  const output = Math.abs(measured.outputTokens - load.outputTokens);
  if (prompt <= ALIKE * load.promptTokens + TEMPLATE_TOKENS && output <= ALIKE * load.outputTokens)
    return undefined;
  return {
    field: '--measured',
    value: measured.source,
    reason: `its requests have ${Math.round(measured.promptTokens)} + ${Math.round(measured.outputTokens)} tokens, and those of the load ${load.promptTokens} + ${load.outputTokens}`,
    remedy: `measure with --prompt-tokens ${load.promptTokens} --output-tokens ${load.outputTokens}`,
  };
}

/** The interpolated times of a measurement. Nothing is known above its highest rate, which so counts as the capacity. */
export class MeasuredPerformance implements EnginePerformance {
  readonly capacity: number;
  readonly #rates: readonly MeasuredRate[];

  constructor({ rates }: Measurement) {
    // A higher rate is never faster: where it seems so, the times vary by more than they depend on the rate.
    let worst: MeasuredRate | undefined;
    this.#rates = rates
      .toSorted((a, b) => a.requestsPerSecond - b.requestsPerSecond)
      .map((rate) => {
        worst = worst === undefined ? rate : slower(worst, rate);
        return worst;
      });
    this.capacity = worst?.requestsPerSecond ?? 0;
  }

  atRate(requestsPerSecond: number): Performance {
    const utilization = requestsPerSecond / this.capacity;
    const at = this.#at(requestsPerSecond);
    const known = utilization <= 1 ? at : undefined;
    const never = Number.POSITIVE_INFINITY;
    return {
      running: requestsPerSecond * at.latencySeconds,
      tokenSeconds: at.tokenSeconds,
      tokenSecondsP99: at.tokenSecondsP99,
      firstTokenSeconds: known?.firstTokenSeconds ?? never,
      firstTokenSecondsP99: known?.firstTokenSecondsP99 ?? never,
      requestSecondsP99: known?.latencySecondsP99 ?? never,
      requestsPerSecond: Math.min(requestsPerSecond, this.capacity),
      capacity: this.capacity,
      utilization,
      isMeasured: true,
    };
  }

  /** Between two rates; outside of all, the nearest. */
  #at(requestsPerSecond: number): MeasuredRate {
    const above = this.#rates.findIndex((rate) => rate.requestsPerSecond >= requestsPerSecond);
    const [low, high] = [this.#rates.at(Math.max(0, above - 1)), this.#rates.at(above)];
    if (low === undefined || high === undefined) throw new RangeError('a measurement without rates');
    const gap = high.requestsPerSecond - low.requestsPerSecond;
    const share = gap === 0 ? 1 : (requestsPerSecond - low.requestsPerSecond) / gap;
    return combine(low, high, (a, b) => a + share * (b - a));
  }
}

function slower(a: MeasuredRate, b: MeasuredRate): MeasuredRate {
  return combine(a, b, Math.max);
}

function combine(a: MeasuredRate, b: MeasuredRate, of: (a: number, b: number) => number): MeasuredRate {
  return {
    requestsPerSecond: of(a.requestsPerSecond, b.requestsPerSecond),
    latencySeconds: of(a.latencySeconds, b.latencySeconds),
    latencySecondsP99: of(a.latencySecondsP99, b.latencySecondsP99),
    firstTokenSeconds: of(a.firstTokenSeconds, b.firstTokenSeconds),
    firstTokenSecondsP99: of(a.firstTokenSecondsP99, b.firstTokenSecondsP99),
    tokenSeconds: of(a.tokenSeconds, b.tokenSeconds),
    tokenSecondsP99: of(a.tokenSecondsP99, b.tokenSecondsP99),
  };
}
