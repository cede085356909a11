/** For whoever shares out accelerators: what sleeps, what wakes and how fast, and who waits for whom. */
import type { Dashboard, Panel } from '../dashboard.ts';

const RATE = '$__rate_interval';

const STARTS: Panel[] = [
  {
    title: 'Cold starts by part',
    description: 'Mean time of each part. `pull` and `load` shrink with a weight cache.',
    unit: 's',
    queries: [
      {
        expr: `sum by (phase) (rate(vllm_operator_cold_start_seconds_sum[${RATE}])) / sum by (phase) (rate(vllm_operator_cold_start_seconds_count[${RATE}]) > 0)`,
        legend: '{{phase}}',
      },
    ],
  },
  {
    title: 'Time that requests were held',
    description: 'For a cold start.',
    unit: 's',
    queries: [0.5, 0.99].map((q) => ({
      expr: `histogram_quantile(${q}, sum by (le) (rate(vllm_router_hold_seconds_bucket[${RATE}])))`,
      legend: `p${100 * q}`,
    })),
  },
  {
    title: 'Held requests',
    description: 'Requests that wait for a model to start, now.',
    unit: 'short',
    queries: [
      {
        expr: 'sum by (exported_namespace, model) (vllm_router_held)',
        legend: '{{exported_namespace}}/{{model}}',
      },
    ],
  },
  {
    title: 'Changes of replicas',
    description:
      'By the operator: woken, put to sleep, scaled by its own autoscaler. Changes of an HPA are not among them.',
    unit: 'short',
    queries: [
      {
        expr: `sum by (reason) (increase(vllm_operator_replica_changes_total[${RATE}]))`,
        legend: '{{reason}}',
      },
    ],
  },
  {
    title: 'Failed wakes',
    description: 'By reason.',
    unit: 'short',
    queries: [
      {
        expr: `sum by (reason) (increase(vllm_operator_wake_failures_total[${RATE}]))`,
        legend: '{{reason}}',
      },
    ],
  },
  {
    title: 'Decisions of the autoscaler',
    description: 'Of the operator. `NoData`: a router could not be asked, so nothing is scaled down.',
    unit: 'cps',
    queries: [
      {
        expr: `sum by (reason) (rate(vllm_operator_autoscaler_decisions_total[${RATE}]))`,
        legend: '{{reason}}',
      },
    ],
  },
];

const BUDGET: Panel[] = [
  {
    title: 'Sleeping models',
    description: 'Models without engines that the next request wakes.',
    unit: 'short',
    queries: [
      {
        expr: 'count by (pool_namespace, pool) (vllm_operator_model_state{state="Idle"})',
        legend: '{{pool_namespace}}/{{pool}}',
      },
    ],
  },
  {
    title: 'Budget of accelerators',
    description: '`charged` is what accepted models may use, `used` what their pods use now.',
    unit: 'short',
    queries: [
      {
        expr: 'max by (exported_namespace, pool, type) (vllm_operator_pool_accelerators)',
        legend: '{{exported_namespace}}/{{pool}}: {{type}}',
      },
    ],
  },
  {
    title: 'Waiting for accelerators',
    description: 'Position of each model in the queue of its pool.',
    unit: 'short',
    queries: [
      {
        expr: 'max by (exported_namespace, model) (vllm_operator_model_queue_position)',
        legend: '{{exported_namespace}}/{{model}}',
      },
    ],
  },
  {
    title: 'Put to sleep for others',
    description: 'Idle models that gave their accelerators to waiting ones.',
    unit: 'short',
    queries: [{ expr: `sum(increase(vllm_operator_budget_evictions_total[${RATE}]))`, legend: 'models' }],
  },
  {
    title: 'Eviction notices of nodes',
    description: 'Engines whose spot node was announced to end, by source and first action.',
    unit: 'short',
    queries: [
      {
        expr: `sum by (source, action) (increase(vllm_operator_eviction_notices_total[${RATE}])) or vector(0)`,
        legend: '{{source}} {{action}}',
      },
    ],
  },
];

export const scaling: Dashboard = {
  uid: 'vllm-scaling',
  title: 'vLLM / Scaling',
  variables: [],
  rows: [
    { title: 'Cold starts', panels: STARTS },
    { title: 'Budget', panels: BUDGET },
  ],
};
