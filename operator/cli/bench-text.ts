/** Formats results of loads for a terminal. */
import type { Comparison } from '../bench/compare-results.ts';
import type { LoadProgress } from '../bench/load-progress.ts';
import type { LoadResult, StepResult } from '../bench/load-result.ts';
import { objectiveText } from '../bench/objective.ts';
import type { Quantiles } from '../bench/quantiles.ts';
import { milliseconds } from '../planning/verdict.ts';
import { printable } from '../values/printable.ts';
import { textTable } from './text-table.ts';

/** Requests that are sent later than this distort what is measured. */
const LATE_MS = 20;

/** The whole result: a line for each rate, the quantiles of a single one, and what to be careful about. */
export function loadResultText(result: LoadResult): string {
  const { steps, url, model, workload, arrivals, objectives } = result;
  const [single, ...others] = steps;
  const lines = [
    `${printable(model)} at ${printable(url)}: ${workload}, ${arrivals} arrivals`,
    '',
    steps.length === 0 ? 'Nothing was measured.' : stepTable(steps).trimEnd(),
    ...(single && others.length === 0 ? ['', quantileTable(single).trimEnd()] : []),
    '',
    ...steps.flatMap(remarks),
    ...(result.interrupted ? ['The run was interrupted: this is what was measured until then.'] : []),
    ...(objectives.length > 0
      ? [`Objectives: ${objectives.map(objectiveText).join(', ')}. ${mostUnder(steps)}`]
      : []),
  ];
  return `${lines.join('\n').trimEnd()}\n`;
}

function stepTable(steps: readonly StepResult[]): string {
  const head = [
    'rate',
    'sent/s',
    'done/s',
    'output tokens/s',
    'errors',
    'most open',
    'p50',
    'p95',
    'p99',
    'first token p95',
    'per token p95',
  ];
  const judged = steps.some(({ meetsObjectives }) => meetsObjectives !== undefined);
  return textTable([
    judged ? [...head, 'objectives'] : head,
    ...steps.map((step) => {
      const { latencyMs, firstTokenMs, timePerTokenMs } = step;
      const cells = [
        amount(step.rate),
        amount(step.arrivalRate),
        amount(step.requestsPerSecond),
        amount(step.outputTokensPerSecond),
        `${(step.errorRate * 100).toFixed(step.errorRate === 0 ? 0 : 2)} %`,
        String(step.mostOpen),
        time(latencyMs, 'p50'),
        time(latencyMs, 'p95'),
        time(latencyMs, 'p99'),
        time(firstTokenMs, 'p95'),
        time(timePerTokenMs, 'p95'),
      ];
      return judged ? [...cells, step.meetsObjectives ? 'met' : 'MISSED'] : cells;
    }),
  ]);
}

function time(quantiles: Quantiles, at: 'mean' | 'p50' | 'p90' | 'p95' | 'p99' | 'p999' | 'max'): string {
  return quantiles.count === 0 ? '-' : milliseconds(quantiles[at]);
}

const COLUMNS = ['mean', 'p50', 'p90', 'p95', 'p99', 'p999', 'max'] as const;

function quantileTable(step: StepResult): string {
  const rows: [string, Quantiles][] = [
    ['whole request', step.latencyMs],
    ['first token', step.firstTokenMs],
    ['time per token', step.timePerTokenMs],
    ['between events', step.interTokenMs],
    ['cold start', step.coldStartMs],
    ['sent late by', step.sendDelayMs],
  ];
  const speed = step.tokensPerSecond;
  return textTable([
    ['', 'requests', ...COLUMNS.map((name) => (name === 'p999' ? 'p99.9' : name))],
    ...rows
      .filter(([, quantiles]) => quantiles.count > 0)
      .map(([name, quantiles]) => [
        name,
        String(quantiles.count),
        ...COLUMNS.map((column) => time(quantiles, column)),
      ]),
    ...(speed.count === 0
      ? []
      : [['tokens/s of a request', String(speed.count), ...COLUMNS.map((column) => amount(speed[column]))]]),
  ]);
}

function remarks(step: StepResult): string[] {
  const at = `At ${amount(step.rate)}/s`;
  const errors = Object.entries(step.errors).map(([kind, count]) => `${count} ${kind}`);
  return [
    ...(errors.length > 0 ? [`${at}: failed: ${errors.join(', ')}`] : []),
    ...(step.unfinished > 0 ? [`${at}: ${step.unfinished} requests were still open`] : []),
    ...(step.coldStartMs.count > 0
      ? [
          `${at}: ${step.coldStartMs.count} requests waited for an engine to start; they are not in the latency (p95 ${milliseconds(step.coldStartMs.p95)})`,
        ]
      : []),
    ...(step.cacheHits > 0
      ? [
          `${at}: ${step.cacheHits} of ${step.completed} answers came from the response cache, without an engine`,
        ]
      : []),
    ...(step.errors['not-sent'] !== undefined
      ? [`${at}: the limit of open requests was reached: raise --max-open, or lower the rate`]
      : []),
    ...(step.sendDelayMs.p99 > LATE_MS
      ? [
          `${at}: 1 in 100 requests was sent ${milliseconds(step.sendDelayMs.p99)} late or more: this machine is too slow or too busy for the rate, and latency includes it`,
        ]
      : []),
  ];
}

function mostUnder(steps: readonly StepResult[]): string {
  const met = steps.filter(({ meetsObjectives }) => meetsObjectives).map(({ rate }) => rate);
  return met.length === 0
    ? 'No rate met them.'
    : `The highest rate that met them is ${amount(Math.max(...met))}/s.`;
}

/** The most throughput in relation to the baseline: of tokens, or of requests if a server states no usage. */
export function mostThroughput({
  mostOutputTokensPerSecond,
  mostRequestsPerSecond,
}: Comparison): number | undefined {
  return mostOutputTokensPerSecond ?? mostRequestsPerSecond;
}

/** What the load has in relation to a baseline. */
export function comparisonText(comparison: Comparison, baseline: LoadResult): string {
  const { steps, highestRate } = comparison;
  const most = mostThroughput(comparison);
  const lines = [
    '',
    `In relation to ${printable(baseline.model)} at ${printable(baseline.url)} of ${baseline.startedAt} (${printable(baseline.workload)}; throughput above 1x is more, times below 1x are shorter):`,
    steps.length === 0
      ? 'No rate is in both results.'
      : textTable([
          ['rate', 'done/s', 'output tokens/s', 'p50', 'p95', 'first token p95', 'per token p95'],
          ...steps.map((step) => [
            amount(step.rate),
            times(step.requestsPerSecond),
            times(step.outputTokensPerSecond),
            times(step.latencyP50),
            times(step.latencyP95),
            times(step.firstTokenP95),
            times(step.timePerTokenP95),
          ]),
        ]).trimEnd(),
    '',
    most === undefined
      ? 'The most throughput of any rate cannot be compared: one of them completed nothing.'
      : `The most throughput of any rate is ${times(most)} that of the baseline.`,
    ...(highestRate === undefined
      ? []
      : [`The highest rate that met the objectives is ${times(highestRate)} that of the baseline.`]),
  ];
  return `${lines.join('\n')}\n`;
}

function times(ratio: number | undefined): string {
  if (ratio === undefined) return '-';
  return `${ratio < 0.1 ? ratio.toPrecision(2) : ratio.toFixed(ratio >= 10 ? 1 : 2)}x`;
}

/** One line about a running load; with a bar if `width` is given. */
export function progressText(progress: LoadProgress, width?: number): string {
  const { elapsedSeconds, totalSeconds, open, completed, failed, requestsPerSecond, latencyP95Ms } = progress;
  const share = Math.min(1, elapsedSeconds / totalSeconds);
  const filled = Math.round(share * (width ?? 0));
  const bar = width === undefined ? '' : `[${'#'.repeat(filled)}${'.'.repeat(width - filled)}] `;
  const what = elapsedSeconds > totalSeconds ? 'waiting for the last answers' : `of ${clock(totalSeconds)}`;
  return `${bar}${clock(Math.min(elapsedSeconds, totalSeconds))} ${what}: ${amount(requestsPerSecond)}/s, p95 ${milliseconds(latencyP95Ms)}, ${open} open, ${completed} done, ${failed} failed`;
}

function clock(seconds: number): string {
  const whole = Math.floor(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
}

function amount(value: number): string {
  const digits = value >= 1000 ? 0 : value >= 100 ? 1 : 2;
  return value.toLocaleString('en-US', { maximumFractionDigits: digits });
}
