/** Formats plans of loads for a terminal. */
import { assumptionsOf } from '../planning/assumptions.ts';
import { MAX_UTILIZATION } from '../planning/coefficients.ts';
import type { Load } from '../planning/load.ts';
import type { Option } from '../planning/option.ts';
import type { LoadPlan } from '../planning/plan-load.ts';
import { milliseconds } from '../planning/verdict.ts';
import type { Variant } from '../planning/what-ifs.ts';
import { printable } from '../values/printable.ts';
import { textTable } from './text-table.ts';

const VERDICTS = { meets: 'met', close: 'close', misses: 'MISSED' } as const;

/** Share by which a dearer plan may cost more and still not be told apart: the usual error of the formula. */
const INDISTINGUISHABLE = 0.1;

/** The whole plan: what is asked for, a line for each accelerator, the pick and why, what was left out, and the assumptions. */
export function loadPlanText(load: Load, plan: LoadPlan): string {
  const lines = [
    demandLine(load, plan),
    '',
    optionTable(plan.options).trimEnd(),
    '',
    ...reasonsFor(plan),
    ...plan.options.flatMap(({ accelerator, missed }) =>
      missed.map((what) => `${accelerator} cannot meet it: ${what}, with any number of replicas`),
    ),
    ...plan.notPlanned.map(({ product, reason }) => `${product} is not planned: ${reason}`),
    '',
    'Assumptions:',
    ...assumptionsOf(load, plan.demand).map((text) => `- ${text}`),
    'Error of the formula (docs/reference/performance.md):',
    ...plan.options.map(({ product, formulaError }) => `- ${product}: ${formulaError}`),
  ];
  return `${lines.join('\n')}\n`;
}

function demandLine(load: Load, { demand }: LoadPlan): string {
  const { requestsPerSecond, peakRequestsPerSecond: peak } = demand;
  const tokens = demand.peakPromptTokensPerSecond + demand.peakOutputTokensPerSecond;
  return [
    `${printable(load.model)}: ${rate(requestsPerSecond)} requests/s on average, ${rate(peak)} at the peak;`,
    `${rate(tokens)} tokens/s at the peak, of which ${rate(demand.peakOutputTokensPerSecond)} output`,
  ].join(' ');
}

function optionTable(options: readonly Option[]): string {
  if (options.length === 0) return 'no accelerator can be planned\n';
  const head = [
    'accelerator',
    'replicas',
    'weights',
    'max length',
    'sequences',
    'most output tokens/s',
    'busy',
    'first token p99',
    'per token',
    'p99',
    '$/hour',
    '$/month',
    '$/1M tokens',
    'targets',
  ];
  return textTable([
    head,
    ...options.map((option) => {
      const { predicted, settings, price, replicas, spareReplicas: spare } = option;
      return [
        option.isMeasured ? `${option.accelerator} (measured)` : option.accelerator,
        spare === 0 ? String(replicas) : `${replicas - spare}+${spare}`,
        option.weightFormat,
        String(settings.maxModelLen),
        String(settings.maxNumSeqs),
        rate(predicted.capacityOutputTokensPerSecond),
        `${Math.round(predicted.utilization * 100)} %`,
        milliseconds(predicted.firstTokenP99Ms),
        milliseconds(predicted.timePerTokenMs),
        milliseconds(predicted.latencyP99Ms),
        `${price.isHint ? '~' : ''}${price.perAcceleratorHour.toFixed(2)}`,
        money(option.monthlyCost),
        option.costPerMillionTokens.toFixed(3),
        VERDICTS[option.verdict],
      ];
    }),
  ]);
}

function reasonsFor({ cheapest, options, demand }: LoadPlan): string[] {
  if (cheapest === undefined) return ['No accelerator meets the targets.'];
  const { accelerator, replicas, spareReplicas: spare, predicted, monthlyCost, verdict } = cheapest;
  const needed = replicas - spare;
  const capacity = predicted.capacityRequestsPerSecond / needed;
  const alike = options.filter(
    (option) =>
      option !== cheapest &&
      option.verdict === verdict &&
      option.monthlyCost <= monthlyCost * (1 + INDISTINGUISHABLE),
  );
  return [
    `Cheapest${verdict === 'close' ? ' that meets the targets, but within the error of the formula' : ''}: ${replicas} x ${accelerator} for ${money(monthlyCost)} a month.`,
    `- one replica serves at most ${rate(capacity)} requests/s; at ${rate(demand.peakRequestsPerSecond)}, ${needed === 1 ? 'it is' : `${needed} are`} ${Math.round(predicted.utilization * 100)} % busy (limit ${MAX_UTILIZATION * 100} %)`,
    `- ${rate(predicted.running)} requests run in a replica at once: ${milliseconds(predicted.timePerTokenMs)} per token, ${milliseconds(predicted.latencyP99Ms)} p99 of the whole`,
    `- settings: ${settingsText(cheapest)}`,
    ...(spare > 0 ? [`- ${spare} of the replicas ${spare === 1 ? 'is' : 'are'} spare`] : []),
    ...(alike.length > 0
      ? [
          `- not told apart by this formula: ${alike.map((option) => `${option.accelerator} for ${money(option.monthlyCost)}`).join(', ')}`,
        ]
      : []),
  ];
}

/** Settings by their fields in pool and model. */
function settingsText({ accelerator, settings }: Option): string {
  const { maxModelLen, maxNumSeqs, maxNumBatchedTokens, quantization, kvCacheDtype } = settings;
  return [
    `accelerator.type ${accelerator}`,
    `engine.maxModelLen ${maxModelLen}`,
    `engine.batching.maxNumSeqs ${maxNumSeqs}`,
    `engine.batching.maxNumBatchedTokens ${maxNumBatchedTokens}`,
    ...(quantization === undefined ? [] : [`engine.quantization ${quantization}`]),
    ...(kvCacheDtype === undefined ? [] : [`engine.pagedAttention.kvCacheDtype ${kvCacheDtype}`]),
  ].join(', ');
}

/** Picks of several plans, a line each. */
export function comparisonText(variants: readonly Variant[]): string {
  const base = variants[0]?.plan.cheapest?.monthlyCost;
  const head = [
    'plan',
    'cheapest',
    'replicas',
    'busy',
    'per token',
    'p99',
    '$/month',
    '$/1M tokens',
    'difference',
    'targets',
  ];
  const rows = variants.map(({ name, plan: { cheapest } }, at) => {
    if (cheapest === undefined) return [name, 'none', '', '', '', '', '', '', '', VERDICTS.misses];
    const { predicted, monthlyCost } = cheapest;
    const change =
      base === undefined || at === 0
        ? ''
        : `${monthlyCost >= base ? '+' : ''}${Math.round((monthlyCost / base - 1) * 100)} %`;
    return [
      name,
      cheapest.accelerator,
      String(cheapest.replicas),
      `${Math.round(predicted.utilization * 100)} %`,
      milliseconds(predicted.timePerTokenMs),
      milliseconds(predicted.latencyP99Ms),
      money(monthlyCost),
      cheapest.costPerMillionTokens.toFixed(3),
      change,
      VERDICTS[cheapest.verdict],
    ];
  });
  return textTable([head, ...rows]);
}

function rate(value: number): string {
  const digits = value >= 100 ? 0 : value >= 1 ? 1 : 3;
  return value.toLocaleString('en-US', { maximumFractionDigits: digits });
}

function money(value: number): string {
  return `$${Math.round(value).toLocaleString('en-US')}`;
}
