/** Measurements for a plan: results of `bench`, each with the accelerators on which the replica ran. */
import { LOAD_DEFAULTS } from '../bench/load-plan.ts';
import type { StepResult } from '../bench/load-result.ts';
import type { MeasuredRate, Measurement } from '../planning/measured-performance.ts';
import { ACCELERATOR_PRODUCTS } from '../vllm/accelerators.ts';
import { readLoadResult } from './load-result-file.ts';

/** Share of a rate that a replica has to complete: less, and requests pile up. */
const KEPT_UP = 0.95;

/** Reads `accelerator=path`, such as `L40S=result.json` or `H100x4=result.json`. Throws RangeError with what is wrong. */
export function readMeasurement(option: string): Measurement {
  const [, type = '', file = ''] = /^([^=]+)=(.+)$/.exec(option) ?? [];
  const [, name, count = '1'] = /^(.+?)(?:x([1248]))?$/.exec(type) ?? [];
  const product = ACCELERATOR_PRODUCTS.find((each) => each === name);
  if (product === undefined)
    throw new RangeError(
      `--measured ${option}: use accelerator=path, such as L40S=result.json or H100x4=result.json, with one of ${ACCELERATOR_PRODUCTS.join(', ')}`,
    );
  const { steps, model, startedAt } = readLoadResult(file);
  const kept = steps.filter(keptUp);
  const completed = kept.reduce((sum, step) => sum + step.completed, 0);
  const mean = (of: (step: StepResult) => number): number =>
    kept.reduce((sum, step) => sum + of(step) * step.completed, 0) / completed;
  if (kept.length === 0)
    throw new RangeError(
      `--measured ${option}: there is no rate that the replica kept up with and that has times per token; measure lower rates`,
    );
  return {
    product,
    count: Number(count),
    source: `${model}, ${startedAt.slice(0, 10)}`,
    promptTokens: mean(({ promptTokens }) => promptTokens),
    outputTokens: mean(({ outputTokens }) => outputTokens),
    rates: kept.map(rateOf),
  };
}

function keptUp(step: StepResult): boolean {
  return (
    step.requestsPerSecond >= KEPT_UP * step.rate &&
    step.errorRate <= LOAD_DEFAULTS.maxErrorRate &&
    step.timePerTokenMs.count > 0
  );
}

function rateOf({ rate, latencyMs, firstTokenMs, timePerTokenMs }: StepResult): MeasuredRate {
  return {
    requestsPerSecond: rate,
    latencySeconds: latencyMs.mean / 1000,
    latencySecondsP99: latencyMs.p99 / 1000,
    firstTokenSeconds: firstTokenMs.mean / 1000,
    firstTokenSecondsP99: firstTokenMs.p99 / 1000,
    tokenSeconds: timePerTokenMs.mean / 1000,
    tokenSecondsP99: timePerTokenMs.p99 / 1000,
  };
}
