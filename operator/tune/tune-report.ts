/** The report of a sweep as Markdown. */
import { objectiveText } from '../bench/objective.ts';
import { printable } from '../values/printable.ts';
import type { Experiment, Sweep } from './experiment.ts';
import { FAILURES } from './failure.ts';
import type { QueueLimit } from './queue-limit.ts';
import type { TuneResult } from './tune.ts';

export interface TuneReport extends TuneResult {
  sweep: Sweep;
  queue: QueueLimit | undefined;
  /** Files with the best settings, and the commands that apply them. Empty if no profile met the objectives. */
  settings: readonly { text: string; command: string }[];
  /** File with the plot, next to the report. */
  plot?: string;
}

const HEAD = [
  'profile',
  'most req/s',
  'missed at',
  'output tokens/s',
  'p50 ms',
  'p95 ms',
  'first token p95 ms',
  'per token p95 ms',
  'errors',
  'start s',
];

/** The whole page. */
export function tuneReport(report: TuneReport): string {
  const { sweep, run, experiments, best, settings, plot, queue } = report;
  const { namespace, name } = sweep.model;
  const failed = experiments.filter(({ failure }) => failure !== undefined);
  const unsettled = experiments.filter(({ knee }) => knee?.settled === false);
  return [
    `# Tuning of ${namespace}/${name}`,
    '',
    `Run ${run}. ${conditionsOf(sweep)}`,
    '',
    table(experiments, best),
    ...(plot === undefined ? [] : ['', `![Latency by rate of each profile](${plot})`]),
    ...(unsettled.length === 0
      ? []
      : [
          '',
          `Not settled, because the measurements were used up: ${unsettled.map(({ profile }) => profile.name).join(', ')}. Their rates may be too low or too high; allow more with \`--measurements\`.`,
        ]),
    ...(failed.length === 0 ? [] : ['', '## What failed', '', ...failed.map(failureLine)]),
    '',
    ...bestLines(best, settings, queue),
    '',
  ].join('\n');
}

function conditionsOf(sweep: Sweep): string {
  const { objectives, maxErrorRate, workload, arrivals, seconds, warmUpSeconds, runs, grid } = sweep;
  return [
    `Objectives: ${objectives.map(objectiveText).join(', ')}, at most ${maxErrorRate * 100} % failed.`,
    `Load: ${workload}, ${arrivals} arrivals, ${seconds} s after ${warmUpSeconds} s of warm-up, median of ${runs} runs.`,
    `Rates: from ${grid.least} to ${grid.most} requests/s, each ${Number((grid.step * 100).toPrecision(3))} % above the one before.`,
    'One replica, through the router, without response cache.',
  ].join(' ');
}

function table(experiments: readonly Experiment[], best: Experiment | undefined): string {
  const rows = experiments.map((experiment) => {
    const { name } = experiment.profile;
    return [experiment === best ? `**${name}**` : name, ...cells(experiment)];
  });
  return [HEAD, HEAD.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');
}

function cells({ knee, failure, readySeconds }: Experiment): string[] {
  const start = readySeconds === undefined ? '' : readySeconds.toFixed(0);
  if (!knee) return [failure?.kind ?? 'none', ...HEAD.slice(3).map(() => ''), start];
  const ms = (value: number) => value.toFixed(value < 100 ? 1 : 0);
  return [
    knee.rate.toString(),
    knee.missed?.toString() ?? '',
    knee.outputTokensPerSecond.toFixed(0),
    ms(knee.latencyMs.p50),
    ms(knee.latencyMs.p95),
    ms(knee.firstTokenMs.p95),
    ms(knee.timePerTokenMs.p95),
    `${(knee.errorRate * 100).toFixed(2)} %`,
    start,
  ];
}

function failureLine({ profile, failure }: Experiment): string {
  if (!failure) return '';
  const at = failure.rate === undefined ? '' : ` at ${failure.rate} requests/s`;
  const message = printable(failure.message).replaceAll('`', "'");
  return `- ${profile.name}: ${FAILURES[failure.kind]}${at}: ${failure.reason}: \`${message}\``;
}

function bestLines(
  best: Experiment | undefined,
  settings: TuneReport['settings'],
  queue: QueueLimit | undefined,
): string[] {
  if (!best) return ['No profile met the objectives. Relax them, shorten the load, or lower `--min-rate`.'];
  return [
    `## Best: ${best.profile.name}`,
    '',
    ...(queue ? [`${queue.because}.`, ''] : []),
    ...settings.flatMap(({ text, command }, at) => [
      ...(at > 0 ? [''] : []),
      '```yaml',
      text.trimEnd(),
      '```',
      '',
      '```sh',
      command,
      '```',
    ]),
  ];
}
