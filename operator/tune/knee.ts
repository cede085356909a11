/** What a profile does at its highest rate: medians of the runs there. */
import { z } from 'zod';
import type { StepResult } from '../bench/load-result.ts';

const amount = z.number().min(0);
const latency = z.strictObject({ mean: amount, p50: amount, p95: amount, p99: amount });

export const kneeSchema = z.strictObject({
  /** Requests a second: the highest rate whose runs met the objectives. */
  rate: amount,
  /** Lowest rate above it that was measured and did not. */
  missed: amount.optional(),
  /** Whether both were confirmed. Otherwise the measurements were used up before. */
  settled: z.boolean(),
  /** Number of runs at this rate. */
  runs: z.int().min(1),
  requestsPerSecond: amount,
  outputTokensPerSecond: amount,
  errorRate: amount,
  /** Most requests that were open at once. */
  mostOpen: amount,
  latencyMs: latency,
  firstTokenMs: latency,
  timePerTokenMs: latency,
});

export type Knee = z.output<typeof kneeSchema>;

const MEASURES = ['latencyMs', 'firstTokenMs', 'timePerTokenMs'] as const;
const TOTALS = ['requestsPerSecond', 'outputTokensPerSecond', 'errorRate', 'mostOpen'] as const;

/** The medians of runs at one rate, each number by itself. */
export function medianOfRuns(runs: readonly StepResult[]): Omit<Knee, 'rate' | 'missed' | 'settled'> {
  const totals = TOTALS.map((name) => [name, median(runs.map((run) => run[name]))]);
  const latencies = MEASURES.map((name) => {
    const of = (part: 'mean' | 'p50' | 'p95' | 'p99') => median(runs.map((run) => run[name][part]));
    return [name, { mean: of('mean'), p50: of('p50'), p95: of('p95'), p99: of('p99') }];
  });
  return { runs: runs.length, ...Object.fromEntries([...totals, ...latencies]) };
}

/** The middle value, or the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  return ((sorted[Math.ceil(middle) - 1] ?? 0) + (sorted[Math.floor(middle)] ?? 0)) / 2;
}
