/** For whoever runs the operator: does it lead, does it keep up, and does the API server answer? */
import type { Dashboard, Panel } from '../dashboard.ts';

const RATE = '$__rate_interval';
/** Several operators of other kinds have metrics of the same names. */
const OURS = 'namespace=~"$namespace"';

const sum = (metric: string, by: string) => `sum by (${by}) (rate(${metric}{${OURS}}[${RATE}]))`;

const WORK: Panel[] = [
  {
    title: 'Leader',
    description: '1 for the pod that leads.',
    unit: 'short',
    queries: [
      {
        expr: `max by (pod) (leader_election_master_status{${OURS},name="vllm-operator"})`,
        legend: '{{pod}}',
      },
    ],
  },
  {
    title: 'Reconciles',
    description: 'By controller and result.',
    unit: 'cps',
    queries: [
      {
        expr: sum('controller_runtime_reconcile_total', 'controller, result'),
        legend: '{{controller}} {{result}}',
      },
    ],
  },
  {
    title: 'Time of reconciles (p99)',
    description: 'By controller.',
    unit: 's',
    queries: [
      {
        expr: `histogram_quantile(0.99, ${sum('controller_runtime_reconcile_time_seconds_bucket', 'controller, le')})`,
        legend: '{{controller}}',
      },
    ],
  },
  {
    title: 'Work queues',
    description: 'Keys that wait. A queue that grows is work that the operator does not keep up with.',
    unit: 'short',
    queries: [{ expr: `sum by (name) (workqueue_depth{${OURS}})`, legend: '{{name}}' }],
  },
  {
    title: 'Time in work queues (p99)',
    description: 'Before a key is taken up.',
    unit: 's',
    queries: [
      {
        expr: `histogram_quantile(0.99, ${sum('workqueue_queue_duration_seconds_bucket', 'name, le')})`,
        legend: '{{name}}',
      },
    ],
  },
  {
    title: 'Applied objects and statuses',
    description: 'Zero in a steady state. `fight`: another client keeps changing an object.',
    unit: 'cps',
    queries: [
      { expr: sum('apply_total', 'result'), legend: 'apply {{result}}' },
      { expr: sum('status_writes_total', 'result'), legend: 'status {{result}}' },
    ],
  },
];

const SURROUNDINGS: Panel[] = [
  {
    title: 'Requests to the API server',
    description: 'By code.',
    unit: 'reqps',
    queries: [{ expr: sum('rest_client_requests_total', 'code'), legend: '{{code}}' }],
  },
  {
    title: 'Errors of the API server',
    description: 'Answers with 4xx or 5xx, and requests without an answer. A few 409 are normal.',
    unit: 'reqps',
    queries: [
      {
        expr: `sum by (code, method) (rate(rest_client_requests_total{${OURS},code!~"2.."}[${RATE}])) or vector(0)`,
        legend: '{{method}} {{code}}',
      },
    ],
  },
  {
    title: 'Watches that failed',
    description: 'By resource and code. The caches are read anew.',
    unit: 'cps',
    queries: [
      {
        expr: `sum by (resource, code) (rate(reflector_failures_total{${OURS}}[${RATE}])) or vector(0)`,
        legend: '{{resource}} {{code}}',
      },
    ],
  },
  {
    title: 'Delay of the event loop',
    description: 'Above ten seconds the Lease is lost.',
    unit: 's',
    queries: [{ expr: `max by (pod) (nodejs_eventloop_lag_p99_seconds{${OURS}})`, legend: '{{pod}}' }],
  },
  {
    title: 'Memory',
    description: 'Resident memory of the process.',
    unit: 'bytes',
    queries: [{ expr: `max by (pod) (process_resident_memory_bytes{${OURS}})`, legend: '{{pod}}' }],
  },
  {
    title: 'Certificates',
    description: 'Days until they expire. The operator renews its own.',
    unit: 'd',
    queries: [
      {
        expr: `min by (certificate) (vllm_operator_certificate_expiry_timestamp_seconds{${OURS},certificate!="ca"} - time()) / 86400`,
        legend: '{{certificate}}',
      },
    ],
  },
  {
    title: 'Age of the route tables',
    description: 'Since each router was last asked or sent anything by the operator.',
    unit: 's',
    queries: [
      {
        expr: 'time() - max by (namespace, pod) (vllm_router_operator_seen_timestamp_seconds)',
        legend: '{{namespace}}/{{pod}}',
      },
    ],
  },
  {
    title: 'Workers of the routers',
    description: 'Processes of nginx that work, and those that are stuck.',
    unit: 'short',
    queries: [
      {
        expr: 'sum by (namespace, vllm_operator_dev_pool, state) (vllm_router_workers)',
        legend: '{{namespace}}/{{vllm_operator_dev_pool}} {{state}}',
      },
    ],
  },
  {
    title: 'Conditions of pools',
    description: '1 for True.',
    unit: 'short',
    queries: [
      {
        expr: 'max by (exported_namespace, pool, type) (vllm_operator_pool_condition{type=~"Ready|RouterReady|CacheReady"})',
        legend: '{{exported_namespace}}/{{pool}} {{type}}',
      },
    ],
  },
];

export const operator: Dashboard = {
  uid: 'vllm-operator',
  title: 'vLLM / Operator',
  variables: [
    {
      name: 'namespace',
      label: 'Namespace of the operator',
      onlyFound: true,
      query: 'label_values(vllm_operator_replica_changes_total, namespace)',
    },
  ],
  rows: [
    { title: 'Work', panels: WORK },
    { title: 'Around it', panels: SURROUNDINGS },
  ],
};
