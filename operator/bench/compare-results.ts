/** Compares a load with a baseline: the same rates against another server, or an earlier result. */
import type { LoadResult, StepResult } from './load-result.ts';

/** Values of a step, divided by those of the baseline. Absent where either is 0. */
export interface StepComparison {
  rate: number;
  requestsPerSecond?: number;
  outputTokensPerSecond?: number;
  latencyP50?: number;
  latencyP95?: number;
  firstTokenP95?: number;
  timePerTokenP95?: number;
}

export interface Comparison {
  /** Rates that both results have. */
  steps: StepComparison[];
  /** The highest throughput of any step, divided by that of the baseline. Absent if either is 0. */
  mostRequestsPerSecond?: number;
  mostOutputTokensPerSecond?: number;
  /** The highest rate that met the objectives, divided by that of the baseline. Absent if no rate of either met them. */
  highestRate?: number;
}

/** The result in relation to the baseline. */
export function compareResults(result: LoadResult, baseline: LoadResult): Comparison {
  const byRate = new Map(baseline.steps.map((step) => [step.rate, step]));
  const most = (of: (step: StepResult) => number) =>
    ratio(Math.max(0, ...result.steps.map(of)), Math.max(0, ...baseline.steps.map(of)));
  return {
    steps: result.steps.flatMap((step) => {
      const base = byRate.get(step.rate);
      return base ? [compareStep(step, base)] : [];
    }),
    ...defined({
      mostRequestsPerSecond: most((step) => step.requestsPerSecond),
      mostOutputTokensPerSecond: most((step) => step.outputTokensPerSecond),
      highestRate: most((step) => (step.meetsObjectives ? step.rate : 0)),
    }),
  };
}

function compareStep(step: StepResult, base: StepResult): StepComparison {
  return {
    rate: step.rate,
    ...defined({
      requestsPerSecond: ratio(step.requestsPerSecond, base.requestsPerSecond),
      outputTokensPerSecond: ratio(step.outputTokensPerSecond, base.outputTokensPerSecond),
      latencyP50: ratio(step.latencyMs.p50, base.latencyMs.p50),
      latencyP95: ratio(step.latencyMs.p95, base.latencyMs.p95),
      firstTokenP95: ratio(step.firstTokenMs.p95, base.firstTokenMs.p95),
      timePerTokenP95: ratio(step.timePerTokenMs.p95, base.timePerTokenMs.p95),
    }),
  };
}

function ratio(value: number, base: number): number | undefined {
  return value === 0 || base === 0 ? undefined : value / base;
}

function defined<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
