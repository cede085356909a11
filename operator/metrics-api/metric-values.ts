/** The values of the metric that the operator serves, in the form of the API. */
import { secondTime } from '../kube/clock.ts';
import type { LabelPredicate } from '../values/label-selector.ts';
import { MODEL_METRIC_LABEL, REQUESTS_METRIC } from '../vllm/requests-metric.ts';
import { METRICS_GROUP_VERSION } from './request-target.ts';

/** The demand for one model. */
export interface MetricSample {
  /** Value of the label `model`: the name of the InferenceModel, shortened to a label value. */
  model: string;
  value: number;
  /** False if a router has not responded. Autoscalers must not scale then, so no value is served. */
  known: boolean;
}

/** The samples of the models in a namespace. */
export type MetricSource = (namespace: string) => Iterable<MetricSample>;

/**
 * An ExternalMetricValueList. A model with unknown demand is omitted: without a value an autoscaler does not scale, while a
 * zero would make it scale down.
 */
export function metricValueList(
  samples: Iterable<MetricSample>,
  selects: LabelPredicate,
  now: number,
): object {
  const timestamp = secondTime(now);
  const items: object[] = [];
  for (const { model, value, known } of samples) {
    const metricLabels = { [MODEL_METRIC_LABEL]: model };
    if (!known || !Number.isFinite(value) || !selects(metricLabels)) continue;
    items.push({ metricName: REQUESTS_METRIC, metricLabels, timestamp, value: quantity(value) });
  }
  return { kind: 'ExternalMetricValueList', apiVersion: METRICS_GROUP_VERSION, metadata: {}, items };
}

/** A resource.Quantity: integers as they are, others in thousandths. */
function quantity(value: number): string {
  return Number.isInteger(value) ? String(value) : `${Math.round(value * 1000)}m`;
}
