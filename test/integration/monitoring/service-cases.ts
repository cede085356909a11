/** Cases of what clients notice: throughput, latency, errors. */
import { type Fired, MODEL_LABELS, OF_MODEL, type RuleCase, TARGET } from './rule-case.ts';

const requests = (code: string) =>
  `vllm_router_requests_total{${OF_MODEL},pod="router-0",tenant="team-a",code="${code}"}`;
const bucket = (le: string) => `vllm_router_request_seconds_bucket{${OF_MODEL},pod="router-0",le="${le}"}`;
const burnt = (percent: string): Fired[] => [
  {
    labels: MODEL_LABELS,
    summary: 'Model team-a/chat fails often enough to use up its error budget in days',
    description: `Of its answers, ${percent} are 5xx. Its error budget of a month will not last.`,
  },
];

const THROUGHPUT: RuleCase[] = [
  {
    name: 'throughput is low while requests wait',
    series: { [requests('200')]: '0+6000x30', [`vllm_router_queued{${OF_MODEL},pod="router-0"}`]: '5x30' },
    at: '25m',
    values: {
      'pool:vllm_router_requests:rate5m': { [`{${TARGET}}`]: 100 },
      'model:vllm_router_requests:rate5m': { [`{${OF_MODEL}}`]: 100 },
    },
    alerts: {
      VllmThroughputLow: [
        {
          labels: { namespace: 'platform', vllm_operator_dev_pool: 'a100' },
          summary: 'Pool platform/a100 is slower than its target, while requests wait',
          description: 'It answers 100 requests per second, and more wait in its queues.',
        },
      ],
    },
  },
  {
    name: 'throughput is low because nobody asks for more',
    series: {
      [requests('200')]: '0+6000x30',
      [`vllm_router_queued{${OF_MODEL},pod="router-0"}`]: '5 0 5 0x30',
    },
    at: '25m',
    alerts: { VllmThroughputLow: [] },
  },
  {
    name: 'throughput is at its target',
    series: { [requests('200')]: '0+30600x30', [`vllm_router_queued{${OF_MODEL},pod="router-0"}`]: '5x30' },
    at: '25m',
    alerts: { VllmThroughputLow: [] },
  },
];

const latency = (name: string, quick: number, slow: number): Pick<RuleCase, 'name' | 'series' | 'at'> => ({
  name,
  at: '25m',
  series: {
    [bucket('0.25')]: `0+${quick}x30`,
    [bucket('1')]: `0+${100 - slow}x30`,
    [bucket('5')]: '0+100x30',
    [bucket('+Inf')]: '0+100x30',
  },
});
const slow = (quantile: string, time: string): Fired[] => [
  {
    labels: MODEL_LABELS,
    summary: 'Requests for team-a/chat are slow',
    description: `The ${quantile} of the latency, without cold starts, is ${time}.`,
  },
];
const recorded = (quantile: string) => `model:vllm_router_request_seconds:${quantile}_rate5m`;

const LATENCY: RuleCase[] = [
  {
    // 20 up to 0.25 s, 80 up to 1 s: the 50th is at 0.25 + 0.75 × 30 / 80 s.
    ...latency('half of the requests take longer than half a second', 20, 0),
    values: {
      [recorded('p50')]: { [`{${OF_MODEL}}`]: 0.5313 },
      [recorded('p95')]: { [`{${OF_MODEL}}`]: 0.9531 },
      [recorded('p99')]: { [`{${OF_MODEL}}`]: 0.9906 },
    },
    alerts: { VllmLatencyP50High: slow('p50', '531.2ms'), VllmLatencyP99High: [] },
  },
  {
    // 4 of 100 up to 5 s: the 99th is at 1 + 4 × 3 / 4 s.
    ...latency('one of a hundred requests takes longer than two seconds', 90, 4),
    alerts: { VllmLatencyP50High: [], VllmLatencyP99High: slow('p99', '4s') },
  },
  {
    ...latency('requests are quick', 90, 0),
    alerts: { VllmLatencyP50High: [], VllmLatencyP99High: [] },
  },
  {
    name: 'nobody asks',
    series: {
      [bucket('0.25')]: '7x30',
      [bucket('+Inf')]: '9x30',
      [requests('200')]: '9x30',
      [requests('500')]: '9x30',
    },
    at: '25m',
    alerts: {
      VllmLatencyP50High: [],
      VllmLatencyP99High: [],
      VllmErrorRateHigh: [],
      VllmErrorBudgetBurnsFast: [],
    },
  },
];

const tier = `vllm_router_degradation_tier{${OF_MODEL},pod="router-0"}`;

const DEGRADATION: RuleCase[] = [
  {
    name: 'a tier of degradation is active at one of two routers all the time',
    series: { [tier]: '1+0x5 2+0x20', [tier.replace('router-0', 'router-1')]: '0x30' },
    at: '20m',
    alerts: {
      VllmModelDegraded: [
        {
          labels: MODEL_LABELS,
          summary: 'Model team-a/chat limits requests because of its load',
          description:
            'Tier 2 of its degradation is active: responses are shorter, long prompts are refused, or fewer requests run.',
        },
      ],
    },
  },
  {
    name: 'a tier of degradation was not active for a moment',
    series: { [tier]: '1x10 0 1x10' },
    at: '20m',
    alerts: { VllmModelDegraded: [] },
  },
];

const ratio = (window: string) => `model:vllm_router_errors:ratio_rate${window}`;

/** So many failed answers a minute beside others. */
const failing = (
  name: string,
  failed: string,
  good: string,
  at: string,
): Pick<RuleCase, 'name' | 'series' | 'at'> => ({
  name,
  at,
  series: { [requests('503')]: failed, [requests('200')]: good, [requests('429')]: '0+500x6000' },
});

const ERRORS: RuleCase[] = [
  {
    // 2 of 100 (the refused ones are no errors, but answers).
    ...failing('two percent of the answers are errors', '0+12x20', '0+88x20', '15m'),
    series: { [requests('503')]: '0+2x20', [requests('200')]: '0+88x20', [requests('429')]: '0+10x20' },
    values: { [ratio('5m')]: { [`{${OF_MODEL}}`]: 0.02 } },
    alerts: {
      VllmErrorRateHigh: [
        {
          labels: MODEL_LABELS,
          summary: 'Requests for team-a/chat fail',
          description: '2% of the answers are 5xx.',
        },
      ],
    },
  },
  {
    name: 'one of two hundred answers is an error, and requests for unknown models fail',
    series: {
      [requests('503')]: '0+1x20',
      [requests('200')]: '0+199x20',
      [`vllm_router_requests_total{${TARGET},pod="router-0",exported_namespace="",model="",tenant="",code="503"}`]:
        '0+500x20',
    },
    at: '15m',
    alerts: { VllmErrorRateHigh: [] },
  },
  {
    name: 'no answer is an error',
    series: { [requests('200')]: '0+100x70' },
    at: '65m',
    values: {
      [ratio('5m')]: { [`{${OF_MODEL}}`]: 0 },
      [ratio('30m')]: { [`{${OF_MODEL}}`]: 0 },
      [ratio('1h')]: { [`{${OF_MODEL}}`]: 0 },
    },
    alerts: { VllmErrorRateHigh: [], VllmErrorBudgetBurnsFast: [] },
  },
];

const steady = (bad: number, good: number, length: number): Record<string, string> => ({
  [requests('500')]: `0+${bad}x${length}`,
  [requests('200')]: `0+${good}x${length}`,
});
const slowly = (percent: string): Fired[] => [
  {
    labels: MODEL_LABELS,
    summary: 'Model team-a/chat fails more often than its error budget allows',
    description: `Of its answers, ${percent} are 5xx. Its error budget of a month will not last.`,
  },
];

const BURN_RATES: RuleCase[] = [
  {
    name: 'errors of 1.5 % for an hour burn 2 % of the budget',
    series: steady(15, 985, 80),
    at: '75m',
    values: { [ratio('1h')]: { [`{${OF_MODEL}}`]: 0.015 } },
    alerts: { VllmErrorBudgetBurnsFast: burnt('1.5%') },
  },
  {
    name: 'errors of 1.5 % that have ended forty minutes ago',
    series: {
      [requests('500')]: '0+15x37 555x45',
      [requests('200')]: '0+985x80',
    },
    at: '78m',
    alerts: { VllmErrorBudgetBurnsFast: [] },
  },
  {
    name: 'errors of 0.7 % for six hours burn 5 % of the budget',
    series: steady(7, 993, 40),
    step: '10m',
    at: '390m',
    values: { [ratio('6h')]: { [`{${OF_MODEL}}`]: 0.007 } },
    alerts: { VllmErrorBudgetBurnsFast: burnt('0.7%') },
  },
  {
    name: 'errors of 0.4 % for a day burn 10 % of the budget',
    series: steady(4, 996, 54),
    step: '30m',
    at: '26h',
    values: {
      [ratio('1d')]: { [`{${OF_MODEL}}`]: 0.004 },
      [ratio('2h')]: { [`{${OF_MODEL}}`]: 0.004 },
    },
    alerts: { VllmErrorBudgetBurnsFast: [], VllmErrorBudgetBurnsSlowly: slowly('0.4%') },
  },
  {
    name: 'errors of 0.2 % for three days burn the budget as fast as it comes',
    series: steady(2, 998, 150),
    step: '30m',
    at: '74h',
    values: { [ratio('3d')]: { [`{${OF_MODEL}}`]: 0.002 } },
    alerts: { VllmErrorBudgetBurnsSlowly: slowly('0.2%') },
  },
  {
    name: 'errors of 0.05 % are within the budget',
    series: steady(1, 1999, 150),
    step: '30m',
    at: '74h',
    alerts: { VllmErrorBudgetBurnsFast: [], VllmErrorBudgetBurnsSlowly: [] },
  },
];

export const SERVICE_CASES: readonly RuleCase[] = [
  ...THROUGHPUT,
  ...LATENCY,
  ...DEGRADATION,
  ...ERRORS,
  ...BURN_RATES,
];
