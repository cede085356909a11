/** Quantiles of many times, from a histogram with three significant digits (HdrHistogram, as Node has it). */
import { createHistogram } from 'node:perf_hooks';
import { z } from 'zod';

const value = z.number().min(0);

/** Quantiles of one measure; the name of the measure has the unit. All are 0 if `count` is. */
export const quantilesSchema = z.strictObject({
  count: z.int().min(0),
  mean: value,
  p50: value,
  p90: value,
  p95: value,
  p99: value,
  p999: value,
  max: value,
});

export type Quantiles = z.output<typeof quantilesSchema>;

/** The histogram counts integers: thousandths of the unit are exact enough, and up to a day in milliseconds fits. */
const PER_UNIT = 1000;
const HIGHEST = 86_400_000 * PER_UNIT;

/** Collects values without storing them. */
export class QuantileRecorder {
  readonly #histogram = createHistogram({ lowest: 1, highest: HIGHEST, figures: 3 });

  /** Values below a thousandth count as that. */
  record(value: number): void {
    this.#histogram.record(Math.min(HIGHEST, Math.max(1, Math.round(value * PER_UNIT))));
  }

  reset(): void {
    this.#histogram.reset();
  }

  percentile(percentile: number): number {
    return this.#histogram.count === 0 ? 0 : this.#histogram.percentile(percentile) / PER_UNIT;
  }

  quantiles(): Quantiles {
    const { count, mean, max } = this.#histogram;
    return {
      count,
      mean: count === 0 ? 0 : mean / PER_UNIT,
      p50: this.percentile(50),
      p90: this.percentile(90),
      p95: this.percentile(95),
      p99: this.percentile(99),
      p999: this.percentile(99.9),
      max: count === 0 ? 0 : max / PER_UNIT,
    };
  }
}
