/** Objectives for latency, such as `p95=2s` or `first-token-p99=500ms`. */
import { z } from 'zod';
import { durationSeconds } from '../values/units.ts';
import type { Quantiles } from './quantiles.ts';

const MEASURES = ['latency', 'first-token', 'time-per-token'] as const;
const PERCENTILES = ['p50', 'p90', 'p95', 'p99'] as const satisfies readonly (keyof Quantiles)[];

/** A percentile of a step that may be at most `ms`. */
export const objectiveSchema = z.strictObject({
  measure: z.enum(MEASURES),
  percentile: z.enum(PERCENTILES),
  ms: z.number().positive(),
});

export type Objective = z.output<typeof objectiveSchema>;

/** The quantiles that objectives may be about. */
export interface MeasuredLatency {
  latencyMs: Quantiles;
  firstTokenMs: Quantiles;
  timePerTokenMs: Quantiles;
}

const FIELDS = {
  latency: 'latencyMs',
  'first-token': 'firstTokenMs',
  'time-per-token': 'timePerTokenMs',
} as const satisfies Record<Objective['measure'], keyof MeasuredLatency>;

/** Reads `[measure-]percentile=duration`; the default measure is the latency of whole requests. Undefined if the text is not an objective. */
export function parseObjective(text: string): Objective | undefined {
  const [, measure = 'latency', percentile, time = ''] =
    /^(?:(latency|first-token|time-per-token)-)?(p50|p90|p95|p99)=([0-9a-z]{1,32})$/.exec(text) ?? [];
  if (percentile === undefined || !/^([0-9]{1,8}(ms|s|m|h))+$/.test(time)) return undefined;
  const parsed = objectiveSchema.safeParse({ measure, percentile, ms: durationSeconds(time) * 1000 });
  return parsed.data;
}

/** The text that `parseObjective` reads. */
export function objectiveText({ measure, percentile, ms }: Objective): string {
  return `${measure}-${percentile}=${ms}ms`;
}

/** The value that the objective is about, in milliseconds. */
export function measuredFor(
  { measure, percentile }: Pick<Objective, 'measure' | 'percentile'>,
  measured: MeasuredLatency,
): number {
  return measured[FIELDS[measure]][percentile];
}
