/** The plot of a sweep: latency over the rate of the best profiles, with the objective as a line. */
import { measuredFor } from '../bench/objective.ts';
import { plotSvg } from '../bench/plot.ts';
import type { Experiment } from './experiment.ts';
import { median } from './knee.ts';

/** More lines cannot be told apart. */
const MAX_LINES = 3;

/**
 * SVG of the three profiles with the highest rates, with medians of the runs at each rate. A cross is a rate whose median
 * misses the objectives.
 */
export function tunePlot(experiments: readonly Experiment[]): string {
  const shown = experiments
    .filter(({ knee }) => knee !== undefined)
    .toSorted((a, b) => (b.knee?.rate ?? 0) - (a.knee?.rate ?? 0))
    .slice(0, MAX_LINES);
  const sweep = experiments[0]?.sweep;
  const [objective] = sweep?.objectives ?? [];
  const { measure, percentile } = objective ?? { measure: 'latency', percentile: 'p95' };
  const unit = `${percentile} of ${measure}, ms`;
  return plotSvg({
    title: `${sweep?.model.namespace}/${sweep?.model.name}: ${sweep?.workload}`,
    xLabel: 'requests a second',
    yLabel: unit,
    lines: shown.map(({ profile, rates }) => ({
      name: profile.name,
      points: rates
        .filter(({ runs }) => runs.some(({ completed }) => completed > 0))
        .map(({ rate, runs }) => ({
          x: rate,
          y: median(runs.map((run) => measuredFor({ measure, percentile }, run))),
          isFailed: runs.filter(({ meetsObjectives }) => meetsObjectives).length <= runs.length / 2,
        })),
    })),
    ...(objective && { limit: { y: objective.ms, name: `objective ${objective.ms} ms` } }),
  });
}
