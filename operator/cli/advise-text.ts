/** Prints advice for a terminal, or as JSON. Pure. */
import { stringify } from 'yaml';
import type { Advice, Patch, Saving } from '../advice/advice.ts';
import { daysOf } from '../advice/evidence.ts';
import type { AdvisedModel } from './advise-cluster.ts';
import { textTable } from './text-table.ts';

export const ADVICE_FORMATS = ['table', 'json'] as const;
export type AdviceFormat = (typeof ADVICE_FORMATS)[number];

interface ModelAdvice {
  model: string;
  advice: Advice;
}

/** The text of the advice, what saves most first. Money has two decimals. */
export function adviceText(models: readonly AdvisedModel[], format: AdviceFormat): string {
  if (format === 'json') return json(models);
  if (models.length === 0) return NO_MODELS;
  const all = models
    .flatMap(({ model, advice }) => advice.map((each): ModelAdvice => ({ model, advice: each })))
    .toSorted((a, b) => (b.advice.saving.money ?? 0) - (a.advice.saving.money ?? 0));
  return [all.length === 0 ? 'there is no advice\n' : overview(all), ...all.map(details), lacksText(models)]
    .filter((part) => part !== '')
    .join('\n');
}

const NO_MODELS =
  'there is no model that its pool accepts here: name its namespace with -n, or take all with --all-namespaces\n';

function overview(all: readonly ModelAdvice[]): string {
  const rows = all.map(({ model, advice }) => [
    model,
    advice.rule,
    money(advice.saving),
    advice.saving.acceleratorHours.toFixed(0),
    advice.change,
  ]);
  const table = textTable([['model', 'rule', 'saved/month', 'accelerator-hours', 'change'], ...rows]);
  const isMarked = all.some(({ advice }) => advice.saving.isEstimate);
  return `${table}${isMarked ? HINT : ''}`;
}

const HINT = '~ from rough prices of the catalog in USD: set spec.accelerator.hourlyCost of the pools\n';

function details({ model, advice }: ModelAdvice): string {
  const { rule, change, evidence, caution, from, until, patches } = advice;
  const days = daysOf({ from, until }).toFixed(1);
  return [
    `${model}: ${rule}: ${change}`,
    `  seen in ${days} days until ${new Date(until).toISOString()}: ${evidence}`,
    ...(caution === undefined ? [] : [`  but ${caution}`]),
    ...patches.map(patchText),
    '',
  ].join('\n');
}

/** As an argument of kubectl, which takes YAML as a patch. */
function patchText({ kind, namespace, name, spec }: Patch): string {
  const body = stringify({ spec }).trimEnd();
  return `kubectl patch ${kind.toLowerCase()} ${name} --namespace ${namespace} --type merge --patch '\n${body}'`;
}

function lacksText(models: readonly AdvisedModel[]): string {
  const lines = models.flatMap(({ model, lacks }) =>
    [...Map.groupBy(lacks, ({ needs }) => needs)].map(
      ([needs, rules]) => `${model}: ${rules.map(({ rule }) => rule).join(', ')}: needs ${needs}\n`,
    ),
  );
  return lines.length === 0 ? '' : `Not enough evidence yet:\n${lines.join('')}`;
}

function money({ money: amount, isEstimate }: Saving): string {
  return amount === undefined ? '' : `${isEstimate ? '~' : ''}${amount.toFixed(2)}`;
}

function json(models: readonly AdvisedModel[]): string {
  const time = (ms: number) => new Date(ms).toISOString();
  const printed = models.map(({ model, pool, evidence, advice, lacks }) => ({
    model,
    pool,
    from: time(evidence.from),
    until: time(evidence.until),
    advice: advice.map(({ from: _from, until: _until, saving, ...rest }) => ({
      ...rest,
      saving: {
        ...saving,
        acceleratorHours: Number(saving.acceleratorHours.toFixed(2)),
        ...(saving.money !== undefined && { money: Number(saving.money.toFixed(2)) }),
      },
    })),
    lacks,
  }));
  return `${JSON.stringify({ models: printed }, null, 2)}\n`;
}
