/** The performance formula, its coefficients and its errors: a page of the reference, and the errors as the planner states them. */
import * as coefficients from '../../operator/planning/coefficients.ts';
import { ACCELERATOR_PEAKS } from '../../operator/vllm/accelerator-peaks.ts';
import { findModel } from '../../operator/vllm/models.ts';
import { markdownTable } from './markdown-table.ts';
import { type ComparedMeasurement, compare, type MeasuredError, readMeasurements } from './measured-error.ts';

/** Groups that do not represent current engines. The page shows them; the summary leaves them out. */
const LEFT_OUT = new Set(['engines of 2024', 'suspicious', 'no steady state']);

const COLUMNS: readonly [keyof MeasuredError, string][] = [
  ['tokenSeconds', 'time per token'],
  ['throughput', 'output tokens/s'],
  ['firstToken', 'time to first token'],
  ['firstTokenP99', 'the same, p99'],
];

export interface ErrorSummary {
  rows: number;
  /** Absolute errors in percent. */
  median: number;
  ninetieth: number;
  worst: number;
}

/** The absolute errors of one figure; undefined without rows. */
export function summarize(
  compared: readonly ComparedMeasurement[],
  figure: keyof MeasuredError,
): ErrorSummary | undefined {
  const errors = compared.flatMap(({ error }) => error[figure] ?? []).map((error) => Math.abs(error) * 100);
  errors.sort((a, b) => a - b);
  if (errors.length === 0) return undefined;
  const at = (share: number): number =>
    Math.round(errors[Math.min(errors.length - 1, Math.floor(share * errors.length))] ?? 0);
  return { rows: errors.length, median: at(0.5), ninetieth: at(0.9), worst: at(1) };
}

/** Rows of engines as they are today, with lengths and hardware that are stated. */
export function judged(compared: readonly ComparedMeasurement[]): ComparedMeasurement[] {
  return compared.filter(({ row }) => !LEFT_OUT.has(row.group ?? ''));
}

function cell(summary: ErrorSummary | undefined): string {
  if (summary === undefined) return '';
  return `${summary.rows}: ${summary.median} %, ${summary.ninetieth} %, ${summary.worst} %`;
}

function groupTable(compared: readonly ComparedMeasurement[]): string {
  const groups = [...new Set(compared.map(({ row }) => row.group ?? ''))];
  const cells = (name: string, rows: readonly ComparedMeasurement[]): string[] => [
    name,
    ...COLUMNS.map(([figure]) => cell(summarize(rows, figure))),
  ];
  const withErrors = compared.filter(({ reason }) => reason === undefined);
  return markdownTable(
    ['measurements', ...COLUMNS.map(([, name]) => name)],
    [
      ...groups.flatMap((group) => {
        const rows = withErrors.filter(({ row }) => row.group === group);
        return rows.length === 0 ? [] : [cells(group, rows)];
      }),
      cells('**all but engines of 2024, suspicious, no steady state**', judged(withErrors)),
    ],
  );
}

function percent(error: number | undefined): string {
  return error === undefined ? '' : `${error >= 0 ? '+' : ''}${Math.round(error * 100)} %`;
}

const ROW_HEAD = [
  'row',
  'engine',
  'model',
  'accelerators',
  'tokens',
  'load',
  'ms per token',
  'error',
  'output tokens/s',
  'error',
  'ms to first token',
  'error',
  'not compared because',
];

function rowTable(compared: readonly ComparedMeasurement[]): string {
  const rows = compared.map(({ row, error, reason }) => [
    row.id,
    `${row.engine} ${row.version}`.trim(),
    `${row.model?.split('/').pop()} ${row.precision}`.trim(),
    `${row.accelerator || '?'} x ${row.tensorParallelSize || '?'}`,
    `${row.promptTokens || '?'} + ${row.outputTokens || '?'}`,
    `${row.load}${row.loadValue ? ` ${row.loadValue}` : ''}`,
    row.tokenMs,
    percent(error.tokenSeconds),
    row.outputTokensPerSecond,
    percent(error.throughput),
    row.firstTokenMs,
    percent(error.firstToken),
    reason ?? '',
  ]);
  return markdownTable(ROW_HEAD, rows);
}

function sources(compared: readonly ComparedMeasurement[]): string {
  const by = new Map<string, string[]>();
  for (const { row } of compared) {
    const source = (row.source ?? '').replace(/ (id=|\[|\().*$/, '').trim();
    by.set(source, [...(by.get(source) ?? []), row.id ?? '']);
  }
  return [...by]
    .map(([source, ids]) => `- ${ids.length === 1 ? ids[0] : `${ids[0]} … ${ids.at(-1)}`}: ${source}`)
    .join('\n');
}

const FIXED: readonly [string, number, string][] = [
  ['`WEIGHT_BANDWIDTH_SHARE`', coefficients.WEIGHT_BANDWIDTH_SHARE, 'memory bandwidth reached with weights'],
  ['`KV_BANDWIDTH_SHARE`', coefficients.KV_BANDWIDTH_SHARE, 'memory bandwidth reached with the KV cache'],
  ['`LAYER_SECONDS`', coefficients.LAYER_SECONDS, 'launches and small kernels of a layer'],
  ['`PROMPT_COMPUTE_SHARE`', coefficients.PROMPT_COMPUTE_SHARE, 'peak arithmetic reached by prompts'],
  ['`DECODE_COMPUTE_SHARE`', coefficients.DECODE_COMPUTE_SHARE, 'peak arithmetic reached by decoding'],
  ['`SEQUENCE_SECONDS`', coefficients.SEQUENCE_SECONDS, 'work of the engine for a sequence in a step'],
  ['`ALL_REDUCE_SECONDS`', coefficients.ALL_REDUCE_SECONDS, 'start of an all-reduce'],
  ['`DECODE_LINK_SHARE`', coefficients.DECODE_LINK_SHARE, 'link bandwidth reached by decoding'],
  ['`PROMPT_LINK_SHARE`', coefficients.PROMPT_LINK_SHARE, 'link bandwidth reached by prompts'],
];

function peaksTable(): string {
  const rows = Object.entries(ACCELERATOR_PEAKS).map(([product, peaks]) => [
    `\`${product}\`${peaks.formFactor ? ` (${peaks.formFactor})` : ''}`,
    peaks.bf16Tflops,
    peaks.fp8Tflops ?? '',
    peaks.fp4Tflops ?? '',
    peaks.memoryGBps,
    peaks.linkGBps ?? '',
    peaks.decodeFactor ?? '',
  ]);
  const head = ['accelerator', 'BF16 TFLOPS', 'FP8', 'FP4', 'memory GB/s', 'link GB/s, one direction'];
  return markdownTable([...head, 'factor on steps'], rows);
}

function page(compared: readonly ComparedMeasurement[]): string {
  return `# Performance formula

<!-- Generated by \`npm run generate\` from operator/planning and test/unit/planning/measurements.tsv. Do not edit. -->

[\`npx vllm-operator plan --load\`](../how-to/plan-capacity.md) predicts speed with one closed formula ([source](../../operator/planning/performance.ts)):

- A decode step takes the sum of: a constant for each layer, reading the weights, reading the KV cache of all running sequences, the
  arithmetic, two all-reduces in each layer, and a constant for each sequence.
- A prompt takes its arithmetic and its all-reduces. Prompts of other requests delay the steps of those that run.
- How many sequences run follows from the arrival rate and the time that a request stays (Little's law). The wait for a place is that of a
  queue with several servers (Sakasegawa), and the wait for prompts of others that of a queue with one.

The coefficients were fitted once, on the first and the third group below. Nothing is adjusted for each row. The factors on steps of the A10
and the MI300X are read off their own rows. What the client of a benchmark adds to the first token is fitted or read off as well, and
no part of a plan.

| coefficient | value | what |
| --- | --- | --- |
${FIXED.map(([name, value, what]) => `| ${name} | ${value} | ${what} |`).join('\n')}
${Object.entries(coefficients.EXPERT_COEFFICIENTS)
  .map(
    ([name, { bandwidthShare, layerSeconds, computeShare }]) =>
      `| experts, ${name} | ${bandwidthShare}; ${layerSeconds}; ${computeShare} | memory bandwidth reached; routing of a layer; peak arithmetic reached |`,
  )
  .join('\n')}

## Peak figures

Without sparsity. Products that are missing have no published figures with a source, and \`plan --load\` makes no prediction for them.

${peaksTable()}

## Errors

Number of rows: median, nine in ten, and worst absolute error. Times to the first token are only compared where the KV cache has room, because
they are those of a queue otherwise. p99 is only in one group, and that of whole requests in none: the planner adds p99 of the first
token and p99 of the others, which is the safe side.

${groupTable(compared)}

What no formula of this kind can know: the engine's release (0.5 to 0.6 doubled the speed), hits of the prefix cache, acceptance with
speculative decoding, noisy neighbours, and accelerators that throttle.

## All measurements

An error is predicted divided by measured, minus 1. Time per token is the mean between the tokens of a request.

${rowTable(compared)}

## Sources

${sources(compared)}
`;
}

/** Errors by accelerator and kind of model, of engines as they are today. */
function errorsByAccelerator(compared: readonly ComparedMeasurement[]) {
  const rows = judged(compared).filter(({ row }) => row.engine?.startsWith('vLLM'));
  const summaries = (chosen: readonly ComparedMeasurement[]) => ({
    tokenSeconds: summarize(chosen, 'tokenSeconds') ?? null,
    firstToken: summarize(chosen, 'firstToken') ?? null,
  });
  const all = { '*': summaries(rows) };
  const kinds = Object.keys(ACCELERATOR_PEAKS).flatMap((product) =>
    [false, true].map((experts) => {
      const own = rows.filter(
        ({ row }) =>
          row.accelerator?.split('-')[0] === product &&
          (findModel(`hf://x/${row.model?.split('/').pop()}`)?.experts !== undefined) === experts,
      );
      return [`${product}${experts ? ' experts' : ''}`, summaries(own)] as const;
    }),
  );
  return { ...all, ...Object.fromEntries(kinds.filter(([, { tokenSeconds }]) => tokenSeconds !== null)) };
}

/** The page and the errors, as path and content. */
export function performanceFiles(): [string, string][] {
  const compared = readMeasurements().map(compare);
  return [
    ['docs/reference/performance.md', page(compared)],
    ['operator/planning/formula-error.json', `${JSON.stringify(errorsByAccelerator(compared), null, 2)}\n`],
  ];
}
