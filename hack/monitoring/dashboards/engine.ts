/** For whoever tunes vLLM: batches, KV cache, and where the time of a request goes. All of it is what engines say themselves. */
import type { Dashboard, Panel, Query } from '../dashboard.ts';

const ENGINES = 'namespace=~"$team",vllm_operator_dev_model=~"$model"';
const BY = 'namespace, vllm_operator_dev_model';
const LEGEND = '{{namespace}}/{{vllm_operator_dev_model}}';

const rate = (metric: string, by = BY) => `sum by (${by}) (rate(${metric}{${ENGINES}}[$__rate_interval]))`;
const quantiles = (metric: string): Query[] =>
  [0.5, 0.99].map((q) => ({
    expr: `histogram_quantile(${q}, ${rate(`${metric}_bucket`, `${BY}, le`)})`,
    legend: `${LEGEND} p${100 * q}`,
  }));
const mean = (metric: string) => `${rate(`${metric}_sum`)} / ${rate(`${metric}_count`)}`;

const BATCH: Panel[] = [
  {
    title: 'Batch size',
    description: 'Sequences that run at once in each engine. At maxNumSeqs, requests begin to wait.',
    unit: 'short',
    queries: [
      {
        expr: `sum by (namespace, pod) (vllm:num_requests_running{${ENGINES}})`,
        legend: '{{namespace}}/{{pod}}',
      },
    ],
  },
  {
    title: 'Waiting in engines',
    description: 'Should be near zero: routers send no more than fits. Else KV blocks are short.',
    unit: 'short',
    queries: [
      {
        expr: `sum by (namespace, pod) (vllm:num_requests_waiting{${ENGINES}})`,
        legend: '{{namespace}}/{{pod}}',
      },
    ],
  },
  {
    title: 'Tokens per iteration',
    description: 'Mean number of tokens in a step of the engine. maxNumBatchedTokens is its limit.',
    unit: 'short',
    queries: [{ expr: mean('vllm:iteration_tokens_total'), legend: LEGEND }],
  },
];

const CACHE: Panel[] = [
  {
    title: 'KV cache',
    description: 'Share of the KV blocks in use. At 100 % sequences are preempted.',
    unit: 'percentunit',
    queries: [
      {
        expr: `max by (namespace, pod) (vllm:kv_cache_usage_perc{${ENGINES}})`,
        legend: '{{namespace}}/{{pod}}',
      },
    ],
  },
  {
    title: 'Prefix cache hits',
    description:
      'Share of prompt tokens whose KV blocks were there already. Routers send alike prompts to one engine.',
    unit: 'percentunit',
    queries: [
      {
        expr: `${rate('vllm:prefix_cache_hits_total')} / ${rate('vllm:prefix_cache_queries_total')}`,
        legend: LEGEND,
      },
    ],
  },
  {
    title: 'Preemptions',
    description: 'Sequences per second that were stopped and computed again, because KV blocks ran out.',
    unit: 'cps',
    queries: [{ expr: rate('vllm:num_preemptions_total'), legend: LEGEND }],
  },
];

const TIME: Panel[] = [
  {
    title: 'Time to first token',
    description: 'In the engine. Long prompts and waiting sequences lengthen it.',
    unit: 's',
    queries: quantiles('vllm:time_to_first_token_seconds'),
  },
  {
    title: 'Time between tokens',
    description: 'In the engine. Grows with the batch size.',
    unit: 's',
    queries: quantiles('vllm:inter_token_latency_seconds'),
  },
  {
    title: 'Time in the queue of the engine',
    description: 'Before its first step.',
    unit: 's',
    queries: quantiles('vllm:request_queue_time_seconds'),
  },
  {
    title: 'Tokens',
    description: 'Prompt and generated tokens per second.',
    unit: 'cps',
    queries: [
      { expr: rate('vllm:prompt_tokens_total'), legend: `${LEGEND} prompt` },
      { expr: rate('vllm:generation_tokens_total'), legend: `${LEGEND} generated` },
    ],
  },
  {
    title: 'Ended requests by reason',
    description: '`length`: the answer hit max_tokens. `abort`: its client went away.',
    unit: 'cps',
    queries: [
      {
        expr: rate('vllm:request_success_total', `${BY}, finished_reason`),
        legend: `${LEGEND} {{finished_reason}}`,
      },
    ],
  },
  {
    title: 'Prompt length',
    description: 'Mean number of tokens of a prompt.',
    unit: 'short',
    queries: [{ expr: mean('vllm:request_prompt_tokens'), legend: LEGEND }],
  },
];

export const engine: Dashboard = {
  uid: 'vllm-engine',
  title: 'vLLM / Engine',
  variables: [
    {
      name: 'team',
      label: 'Namespace of the model',
      query: 'label_values(vllm:num_requests_running, namespace)',
    },
    {
      name: 'model',
      label: 'Model',
      query: 'label_values(vllm:num_requests_running{namespace=~"$team"}, vllm_operator_dev_model)',
    },
  ],
  rows: [
    { title: 'Batches', panels: BATCH },
    { title: 'KV cache', panels: CACHE },
    { title: 'Requests', panels: TIME },
  ],
};
