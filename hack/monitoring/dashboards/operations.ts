/** For whoever keeps the service up: is it fast enough, does it fail, and has it enough GPUs? */
import { type Dashboard, POOL_NAMESPACE } from '../dashboard.ts';
import { ofGpuPods } from '../recording-rules.ts';
import { THRESHOLDS } from '../thresholds.ts';

const POOLS = 'namespace=~"$namespace"';
const LATENCY = `sum by (le) (rate(vllm_router_request_seconds_bucket{${POOLS}}[$__rate_interval]))`;
const REQUESTS = `sum(rate(vllm_router_requests_total{${POOLS}}[$__rate_interval]))`;
const batches = (metric: string) =>
  `sum by (exported_namespace, model) (rate(vllm_router_${metric}{${POOLS}}[$__rate_interval]))`;
const quantile = (q: number) => `histogram_quantile(${q}, ${LATENCY})`;

export const operations: Dashboard = {
  uid: 'vllm-operations',
  title: 'vLLM / Operations',
  variables: [POOL_NAMESPACE],
  rows: [
    {
      title: 'Now',
      panels: [
        {
          title: 'Models loaded',
          description: 'Models with an engine that serves.',
          unit: 'short',
          kind: 'stat',
          queries: [
            {
              expr: 'count(vllm_operator_model_state{state="Serving",pool_namespace=~"$namespace"}) or vector(0)',
              legend: 'models',
            },
          ],
        },
        {
          title: 'Active requests',
          description: 'Requests that engines work on.',
          unit: 'short',
          kind: 'stat',
          queries: [{ expr: `sum(vllm_router_in_flight{${POOLS}})`, legend: 'requests' }],
        },
        {
          title: 'Waiting requests',
          description:
            'Requests in queues, because all engines of their model are full, and requests held for a cold start.',
          unit: 'short',
          kind: 'stat',
          queries: [
            { expr: `sum(vllm_router_queued{${POOLS}})`, legend: 'queued' },
            { expr: `sum(vllm_router_held{${POOLS}})`, legend: 'held' },
          ],
        },
      ],
    },
    {
      title: 'Service',
      panels: [
        {
          title: 'Throughput against its target',
          description:
            'Answered requests per second. Below the target while requests wait, the pool needs more replicas.',
          unit: 'reqps',
          queries: [
            { expr: REQUESTS, legend: 'requests' },
            { expr: `vector(${THRESHOLDS.throughput})`, legend: 'target' },
          ],
        },
        {
          title: 'Latency',
          description:
            'From the first byte of a request to the last of its answer, without the wait for a cold start.',
          unit: 's',
          queries: [
            { expr: quantile(0.5), legend: 'p50' },
            { expr: quantile(0.95), legend: 'p95' },
            { expr: quantile(0.99), legend: 'p99' },
          ],
        },
        {
          title: 'Error rate',
          description:
            'Share of answers with 5xx, by model. Rejections for load (429) are in the panel below.',
          unit: 'percentunit',
          queries: [
            {
              expr: `max by (exported_namespace, model) (model:vllm_router_errors:ratio_rate5m{${POOLS}})`,
              legend: '{{exported_namespace}}/{{model}}',
            },
          ],
        },
        {
          title: 'Requests in flight by model',
          description: 'Requests that engines work on. The sum of the batches of all engines of a model.',
          unit: 'short',
          queries: [
            {
              expr: `sum by (exported_namespace, model) (vllm_router_in_flight{${POOLS}})`,
              legend: '{{exported_namespace}}/{{model}}',
            },
          ],
        },
        {
          title: 'Queue depth by model',
          description: 'Requests that wait for room. If it stays above zero, the model needs more replicas.',
          unit: 'short',
          queries: [
            {
              expr: `sum by (exported_namespace, model) (vllm_router_queued{${POOLS}})`,
              legend: '{{exported_namespace}}/{{model}}',
            },
          ],
        },
        {
          title: 'Rejected requests',
          description: 'Requests that were not sent to an engine, by model and reason.',
          unit: 'reqps',
          queries: [
            {
              expr: `sum by (exported_namespace, model, reason) (rate(vllm_router_rejected_total{${POOLS}}[$__rate_interval]))`,
              legend: '{{exported_namespace}}/{{model}} {{reason}}',
            },
          ],
        },
      ],
    },
    {
      title: 'Availability',
      panels: [
        {
          title: 'Availability over a day',
          description:
            'Share of answers that are not 5xx, by model. The target of the burn-rate alerts is a value of the chart.',
          unit: 'percentunit',
          queries: [
            {
              expr: `1 - max by (exported_namespace, model) (model:vllm_router_errors:ratio_rate1d{${POOLS}})`,
              legend: '{{exported_namespace}}/{{model}}',
            },
          ],
        },
        {
          title: 'Models by state',
          description: 'Idle models have no engine and wake with the next request.',
          unit: 'short',
          queries: [
            {
              expr: 'count by (state) (vllm_operator_model_state{pool_namespace=~"$namespace"})',
              legend: '{{state}}',
            },
          ],
        },
        {
          title: 'Degradation tier',
          description:
            'Above zero, answers, prompts or requests in flight are limited because of load. Higher tiers limit more.',
          unit: 'short',
          queries: [
            {
              expr: `max by (exported_namespace, model) (vllm_router_degradation_tier{${POOLS}})`,
              legend: '{{exported_namespace}}/{{model}}',
            },
          ],
        },
      ],
    },
    {
      title: 'Batching windows',
      panels: [
        {
          title: 'Batching window',
          description:
            'In use at the routers, by model. Below the spec, latency is above batchWindowMaxP95. Models without a window have no line.',
          unit: 's',
          queries: [
            {
              expr: `min by (exported_namespace, model) (vllm_router_batch_window_seconds{${POOLS}})`,
              legend: '{{exported_namespace}}/{{model}}',
            },
          ],
        },
        {
          title: 'Requests per batching window',
          description: 'How many come together. At 1 the window only delays them: set batchWindow to 0ms.',
          unit: 'short',
          queries: [
            {
              expr: `${batches('batch_seconds_count')} / ${batches('batches_total')}`,
              legend: '{{exported_namespace}}/{{model}}',
            },
          ],
        },
        {
          title: 'Delay by batching windows',
          description: 'Mean time that requests wait for the end of their window.',
          unit: 's',
          queries: [
            {
              expr: `${batches('batch_seconds_sum')} / ${batches('batch_seconds_count')}`,
              legend: '{{exported_namespace}}/{{model}}',
            },
          ],
        },
      ],
    },
    {
      title: 'Adaptive concurrency',
      panels: [
        {
          title: 'Limit of requests that run at once',
          description:
            'Of all routers, by model. At its floor, tokens take more than twice as long as with few requests. Models without adaptive concurrency have no line.',
          unit: 'short',
          queries: [
            {
              expr: `sum by (exported_namespace, model) (vllm_router_adaptive_limit{${POOLS}})`,
              legend: '{{exported_namespace}}/{{model}}',
            },
          ],
        },
      ],
    },
    {
      title: 'GPUs (DCGM exporter)',
      panels: [
        {
          title: 'GPU utilisation by pod',
          description:
            'Of the GPUs of engines. Low with a long queue: the batch size is limited, see the dashboard Engine.',
          unit: 'percentunit',
          queries: [{ expr: 'pod:vllm_gpu_utilisation:ratio', legend: '{{namespace}}/{{pod}}' }],
        },
        {
          title: 'GPU memory by pod',
          description: 'Used memory. vLLM takes gpuMemoryUtilization of it at its start, and keeps it.',
          unit: 'decmbytes',
          queries: [
            {
              expr: `avg by (namespace, pod, gpu) (${ofGpuPods('DCGM_FI_DEV_FB_USED')})`,
              legend: '{{namespace}}/{{pod}} GPU {{gpu}}',
            },
          ],
        },
        {
          title: 'Engines that take requests',
          description: 'As the routers know them, by model.',
          unit: 'short',
          queries: [
            {
              expr: `max by (exported_namespace, model) (vllm_router_endpoints{${POOLS}})`,
              legend: '{{exported_namespace}}/{{model}}',
            },
          ],
        },
      ],
    },
  ],
};
