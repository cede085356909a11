/** The values of the one metric that the operator serves, as the API writes them. */

import { secondTime } from '../kube/clock.ts';
import type { LabelPredicate } from '../values/label-selector.ts';
import { MODEL_METRIC_LABEL, REQUESTS_METRIC } from '../vllm/requests-metric.ts';
import { METRICS_GROUP_VERSION } from './request-target.ts';

/** What clients ask of one model now. */
export interface MetricSample {
  /** Value of the label `model`: the InferenceModel's name, cut as label values are. */
  model: string;
  value: number;
  /** False while a router has not answered: whoever scales must hold then, so no value is served. */
  known: boolean;
}

/** The samples of a namespace's models. */
export type MetricSource = (namespace: string) => Iterable<MetricSample>;

/**
 * An ExternalMetricValueList. A model whose demand is unknown is left out: an autoscaler that gets no value leaves the
 * replicas alone, where a zero would take them away.
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

/** A resource.Quantity: whole numbers as they are, others in thousandths. */
function quantity(value: number): string {
  return Number.isInteger(value) ? String(value) : `${Math.round(value * 1000)}m`;
}
