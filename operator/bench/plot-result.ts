/** The plot of a load: latency over the rate, with the objective as a line. */
import type { LoadResult, StepResult } from './load-result.ts';
import { measuredFor, type Objective } from './objective.ts';
import { plotSvg } from './plot.ts';

const NAMES = {
  latency: 'latency of whole requests',
  'first-token': 'time to the first token',
  'time-per-token': 'time per token',
} as const satisfies Record<Objective['measure'], string>;

/**
 * SVG of results by name. The first objective of the first one says what is plotted; without one, it is p95 of the whole
 * request. A cross is a rate that missed its objectives.
 */
export function plotResults(results: readonly { name: string; result: LoadResult }[]): string {
  const [first] = results;
  const [objective] = first?.result.objectives ?? [];
  const { measure, percentile } = objective ?? { measure: 'latency' as const, percentile: 'p95' as const };
  const point = (step: StepResult) => ({
    x: step.rate,
    y: measuredFor({ measure, percentile }, step),
    isFailed: step.meetsObjectives === false,
  });
  return plotSvg({
    title: `${percentile} of ${NAMES[measure]}: ${first?.result.model ?? ''}, ${first?.result.workload ?? ''}`,
    xLabel: 'requests a second',
    yLabel: `${percentile}, ms`,
    lines: results.map(({ name, result }) => ({
      name,
      points: result.steps.filter(({ completed }) => completed > 0).map(point),
    })),
    ...(objective && { limit: { y: objective.ms, name: `objective ${objective.ms} ms` } }),
  });
}
