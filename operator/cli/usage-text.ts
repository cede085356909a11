/** Prints a report of usage as a table, CSV or JSON. Pure. */

import type { Group, UsageRow } from '../usage/report.ts';
import { printable } from '../values/printable.ts';
import { textTable } from './text-table.ts';

export const FORMATS = ['table', 'csv', 'json'] as const;
export type Format = (typeof FORMATS)[number];

export interface UsageReport {
  /** Milliseconds since 1970. */
  since: number;
  until: number;
  by: Group;
  rows: readonly UsageRow[];
}

const COLUMNS = [
  'acceleratorSeconds',
  'readyReplicaSeconds',
  'cost',
  'costIsEstimate',
  'requests',
  'promptTokens',
  'completionTokens',
  'cachedRequests',
  'cachedTokens',
  'cacheSavedAcceleratorSeconds',
  'cacheSavedCost',
  'sleepSavedAcceleratorSeconds',
  'sleepSavedCost',
] as const satisfies readonly (keyof UsageRow)[];

/** The text of the report. Money has two decimals in the table, and six in CSV and JSON. */
export function usageText(report: UsageReport, format: Format): string {
  if (format === 'table') return table(report);
  const rows = report.rows.map((row) => ({ ...row, ...exactMoney(row) }));
  if (format === 'csv') {
    const lines = rows.map((row) => [quoted(row.name), ...COLUMNS.map((column) => row[column])].join(','));
    return `${[[report.by, ...COLUMNS].join(','), ...lines].join('\n')}\n`;
  }
  const [since, until] = [report.since, report.until].map((ms) => new Date(ms).toISOString());
  return `${JSON.stringify({ since, until, by: report.by, rows }, null, 2)}\n`;
}

/** As RFC 4180 has it. Names of objects need no quotes, but a record may have been forged. */
function quoted(name: string): string {
  const text = printable(name);
  return /[",]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function exactMoney({ cost, cacheSavedCost, sleepSavedCost }: UsageRow) {
  const exact = (value: number) => Number(value.toFixed(6));
  return {
    cost: exact(cost),
    cacheSavedCost: exact(cacheSavedCost),
    sleepSavedCost: exact(sleepSavedCost),
  };
}

const NOTES = {
  hint: '~ includes accelerators without a price: set spec.accelerator.hourlyCost of the pool. The catalog has rough prices of on-demand machines in USD.',
  key: '~ the share of each model’s cost that the tokens of the key have.',
} as const;

function table({ since, by, rows }: UsageReport): string {
  if (rows.length === 0) return `nothing was used since ${new Date(since).toISOString()}\n`;
  const head = [
    by,
    'accelerator-hours',
    'cost',
    'requests',
    'prompt',
    'output',
    'cached',
    'cache-saved',
    'sleep-saved',
  ];
  const hours = (seconds: number) => (seconds / 3_600).toFixed(2);
  const lines = rows.map((row) => [
    printable(row.name),
    hours(row.acceleratorSeconds),
    `${row.costIsEstimate ? '~' : ''}${row.cost.toFixed(2)}`,
    String(row.requests),
    String(row.promptTokens),
    String(row.completionTokens),
    String(row.cachedTokens),
    `~${row.cacheSavedCost.toFixed(2)}`,
    `~${row.sleepSavedCost.toFixed(2)}`,
  ]);
  const marked = rows.some(({ costIsEstimate }) => costIsEstimate);
  const note = marked ? `\n${by === 'key' ? NOTES.key : NOTES.hint}\n` : '';
  return `since ${new Date(since).toISOString()}\n\n${textTable([head, ...lines])}${note}`;
}
