import type { Registry } from 'prom-client';
import { counter, histogram } from '../kube/metrics.ts';

/** Counts requests and measures their duration. */
export interface RequestMetrics {
  /** Call at the start of a request. Call the result with the status code at the end. */
  start(): (status: number) => void;
}

/** `vllm_operator_metrics_api_requests_total{code}` and `vllm_operator_metrics_api_request_duration_seconds`. */
export function requestMetrics(registry: Registry | undefined): RequestMetrics {
  if (!registry) return { start: () => () => {} };
  const requests = counter(registry, {
    name: 'vllm_operator_metrics_api_requests_total',
    help: 'Requests to the external metrics API by status code.',
    labelNames: ['code'],
  });
  const durations = histogram(registry, {
    name: 'vllm_operator_metrics_api_request_duration_seconds',
    help: 'Duration of requests to the external metrics API, including access reviews.',
    labelNames: [],
    buckets: [0.001, 0.005, 0.025, 0.1, 0.5, 2, 10],
  });
  return {
    start: () => {
      const end = durations.startTimer();
      return (status) => {
        requests.inc({ code: String(status) });
        end();
      };
    },
  };
}
