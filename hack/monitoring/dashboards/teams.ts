/** For teams, and for whoever charges them: requests, tokens, cost, and what the cache saves. */
import { type Dashboard, type Panel, TEAM } from '../dashboard.ts';

const OF_TEAM = 'exported_namespace=~"$team"';
const MODEL = 'exported_namespace, model';
const LEGEND = '{{exported_namespace}}/{{model}}';

const rate = (metric: string, by: string, more = '') =>
  `sum by (${by}) (rate(${metric}{${OF_TEAM}${more}}[$__rate_interval]))`;
const hits = rate('vllm_router_cache_total', MODEL, ',result=~"HIT|SHARED"');
const asked = rate('vllm_router_cache_total', MODEL);
const cost = (by: string) =>
  `sum by (${by}) (max by (${MODEL}) (vllm_operator_model_hourly_cost{${OF_TEAM}}))`;

const USE: Panel[] = [
  {
    title: 'Requests by tenant',
    description: 'A tenant is the owner of an API key, or without keys the namespace of the model.',
    unit: 'reqps',
    queries: [{ expr: rate('vllm_router_requests_total', 'tenant'), legend: '{{tenant}}' }],
  },
  {
    title: 'Requests by model',
    description: 'Of all tenants.',
    unit: 'reqps',
    queries: [{ expr: rate('vllm_router_requests_total', MODEL), legend: LEGEND }],
  },
  {
    title: 'Answers by code',
    description:
      '4xx are errors of clients, 429 are requests beyond a limit or a full queue, 5xx are errors of the service.',
    unit: 'reqps',
    queries: [{ expr: rate('vllm_router_requests_total', 'tenant, code'), legend: '{{tenant}} {{code}}' }],
  },
  {
    title: 'Tokens by tenant',
    description: 'Prompt and completion tokens per second, as engines report them.',
    unit: 'cps',
    queries: [{ expr: rate('vllm_router_tokens_total', 'tenant, kind'), legend: '{{tenant}} {{kind}}' }],
  },
  {
    title: 'Tokens by model',
    description: 'Prompt and completion tokens per second.',
    unit: 'cps',
    queries: [{ expr: rate('vllm_router_tokens_total', `${MODEL}, kind`), legend: `${LEGEND} {{kind}}` }],
  },
  {
    title: 'Tokens in the last day',
    description: 'By tenant.',
    unit: 'short',
    queries: [
      { expr: `sum by (tenant) (increase(vllm_router_tokens_total{${OF_TEAM}}[1d]))`, legend: '{{tenant}}' },
    ],
  },
];

const COST: Panel[] = [
  {
    title: 'Cost per hour by team',
    description:
      "Price of the accelerators that the team's models use now, as the pool has it (accelerator.hourlyCost).",
    unit: 'short',
    queries: [{ expr: cost('exported_namespace'), legend: '{{exported_namespace}}' }],
  },
  {
    title: 'Cost per hour by model',
    description: 'A model that sleeps costs nothing.',
    unit: 'short',
    queries: [{ expr: cost(MODEL), legend: LEGEND }],
  },
  {
    title: 'Accelerators against quota',
    description: 'Used by each namespace with a quota, and its limit.',
    unit: 'short',
    queries: [
      {
        expr: `max by (exported_namespace, pool, type) (vllm_operator_namespace_accelerators{${OF_TEAM}})`,
        legend: '{{exported_namespace}} in {{pool}}: {{type}}',
      },
    ],
  },
];

const SAVINGS: Panel[] = [
  {
    title: 'Answered from the cache',
    description: 'Share of the requests that the response cache was asked for, by model.',
    unit: 'percentunit',
    queries: [{ expr: `(${hits} or 0 * ${asked}) / ${asked}`, legend: LEGEND }],
  },
  {
    title: 'Requests saved by tenant',
    description: 'Requests per second that needed no engine.',
    unit: 'reqps',
    queries: [
      {
        expr: rate('vllm_router_cache_total', `tenant, ${MODEL}`, ',result=~"HIT|SHARED"'),
        legend: `{{tenant}} ${LEGEND}`,
      },
    ],
  },
  {
    title: 'Cost saved per hour (estimate)',
    description:
      'What engines would cost for the requests that the cache answers, at the present cost of each answer of an engine.',
    unit: 'short',
    queries: [{ expr: `${cost(MODEL)} * ${hits} / (${asked} - ${hits})`, legend: LEGEND }],
  },
];

export const teams: Dashboard = {
  uid: 'vllm-teams',
  title: 'vLLM / Teams',
  variables: [TEAM],
  rows: [
    { title: 'Use', panels: USE },
    { title: 'Cost', panels: COST },
    { title: 'Response cache', panels: SAVINGS },
  ],
};
