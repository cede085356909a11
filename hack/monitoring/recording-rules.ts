/**
 * What alerts and dashboards compute more than once. `namespace` is always that of the scraped pod, which it cannot choose:
 * of routers that of their pool, of engines that of their model. `exported_namespace` is the model's, as its router says.
 */
import type { RecordingRule, RuleContext } from './rule.ts';

/** Labels of a model in the series of routers. */
export const MODEL = 'namespace, vllm_operator_dev_pool, exported_namespace, model';
/** Labels of a pool in the series of routers. */
export const POOL = 'namespace, vllm_operator_dev_pool';

/** Windows of the error ratio: each burn rate needs two of them. */
const WINDOWS = ['5m', '30m', '1h', '2h', '6h', '1d', '3d'] as const;
const QUANTILES = { p50: 0.5, p95: 0.95, p99: 0.99 } as const;

/** The name of the error ratio of a window. The name says the window that users have, also where tests shorten it. */
export function errorRatio(window: (typeof WINDOWS)[number]): string {
  return `model:vllm_router_errors:ratio_rate${window}`;
}

/** The recording rules. */
export function recordingRules({ duration }: RuleContext): RecordingRule[] {
  const short = duration('5m');
  return [
    {
      record: 'pool:vllm_router_requests:rate5m',
      expr: `sum by (${POOL}) (rate(vllm_router_requests_total[${short}]))`,
    },
    {
      record: 'model:vllm_router_requests:rate5m',
      expr: `sum by (${MODEL}) (rate(vllm_router_requests_total{model!=""}[${short}]))`,
    },
    ...Object.entries(QUANTILES).map(([name, quantile]) => ({
      record: `model:vllm_router_request_seconds:${name}_rate5m`,
      expr: `histogram_quantile(${quantile}, sum by (${MODEL}, le) (rate(vllm_router_request_seconds_bucket[${short}])))`,
    })),
    ...WINDOWS.map((window) => ({ record: errorRatio(window), expr: ratioOver(duration(window)) })),
    { record: 'pod:vllm_gpu_utilisation:ratio', expr: gpuUtilisation() },
  ];
}

/** Answers with 5xx among all of a model. 429 is no error of the service: its client asks for more than it may have. */
function ratioOver(window: string): string {
  const all = `sum by (${MODEL}) (rate(vllm_router_requests_total{model!=""}[${window}]))`;
  const failed = `sum by (${MODEL}) (rate(vllm_router_requests_total{model!="",code=~"5.."}[${window}]))`;
  return `(${failed} or 0 * ${all}) / ${all}`;
}

/**
 * A metric of GPUs with the pod that uses each in the labels `namespace` and `pod`. DCGM's exporter names that pod in
 * `exported_pod`, or in `pod` where it is scraped with `honor_labels`.
 */
export function ofGpuPods(metric: string): string {
  const namespace = `label_replace(${metric}, "namespace", "$1", "exported_namespace", "(.+)")`;
  return `label_replace(${namespace}, "pod", "$1", "exported_pod", "(.+)")`;
}

/** Utilisation of the GPUs of each engine pod, from 0 to 1. Namespace and name of a pod are nothing that it says itself. */
function gpuUtilisation(): string {
  const used = `avg by (namespace, pod) (${ofGpuPods('DCGM_FI_DEV_GPU_UTIL')})`;
  const engines =
    'max by (namespace, pod, vllm_operator_dev_model, vllm_operator_dev_pool) (vllm:num_requests_running >= bool 0)';
  return `${used} / 100 * on (namespace, pod) group_left (vllm_operator_dev_model, vllm_operator_dev_pool) ${engines}`;
}
