import type { KubeClient } from '../../../operator/kube/client.ts';
import { isKubeError } from '../../../operator/kube/errors.ts';
import type { LabelSelector } from '../../../operator/values/label-selector.ts';
import { formatQuantity, quantityValue } from '../../../operator/values/quantity.ts';
import type { MetricSpec, MetricStatus } from '../kinds.ts';
import { selectorText } from '../selector-text.ts';

/** The replicas that one metric proposes. */
export interface MetricProposal {
  replicas: number;
  status: MetricStatus;
  /** The metric as messages name it. */
  name: string;
}

/** A metric could not be read; `reason` is that of the ScalingActive condition. */
export class MetricError extends Error {
  readonly code = 'METRIC_UNAVAILABLE';
  readonly reason: string;

  constructor(reason: string, message: string) {
    super(message);
    this.name = 'MetricError';
    this.reason = reason;
  }
}

export interface MetricScope {
  namespace: string;
  /** `spec.replicas` and `status.replicas` of the target. */
  specReplicas: number;
  statusReplicas: number;
  /** Relative deviation that causes no scaling, up and down. */
  tolerance: { up: number; down: number };
}

/**
 * Reads an External metric from external.metrics.k8s.io and computes the replicas that it asks for, as the HPA's
 * replica calculator does. Throws {@link MetricError} for other kinds of metrics and when it cannot be read.
 */
export async function proposeReplicas(
  client: KubeClient,
  metric: MetricSpec,
  scope: MetricScope,
  signal: AbortSignal,
): Promise<MetricProposal> {
  const { external } = metric;
  if (metric.type !== 'External' || !external) {
    throw new MetricError(
      `FailedGet${metric.type}Metric`,
      `this cluster has no metrics of type ${metric.type}`,
    );
  }
  const { name, selector = {} } = external.metric;
  const usage = await readUsage(client, name, selector, scope.namespace, signal);
  const { averageValue, value = '1' } = external.target;
  const average = averageValue !== undefined;
  const replicas = average ? scope.statusReplicas : scope.specReplicas;
  // How many replicas there would be if the target were met exactly.
  const wanted = average ? usage / quantityValue(averageValue) : (usage / quantityValue(value)) * replicas;
  const current = average
    ? { averageValue: milliQuantity(usage / Math.max(1, scope.statusReplicas)) }
    : { value: milliQuantity(usage) };
  return {
    replicas: tolerated(wanted / replicas, scope.tolerance) ? replicas : Math.ceil(wanted - 1e-9),
    name: `external metric ${name}(${goSelector(selector)})`,
    status: { type: 'External', external: { metric: external.metric, current } },
  };
}

async function readUsage(
  client: KubeClient,
  name: string,
  selector: LabelSelector,
  namespace: string,
  signal: AbortSignal,
): Promise<number> {
  const context = `unable to get external metric ${namespace}/${name}/${goSelector(selector)}`;
  const failed = (why: string): MetricError =>
    new MetricError('FailedGetExternalMetric', `${context}: ${why}`);
  try {
    const labelSelector = selectorText(selector);
    const answer = await client.raw({
      path: `/apis/external.metrics.k8s.io/v1beta1/namespaces/${namespace}/${name}`,
      query: { labelSelector: labelSelector || undefined },
      signal,
    });
    const { items = [] } = JSON.parse(answer.text) as { items?: { value: string }[] };
    if (items.length === 0) throw failed('no metrics returned from external metrics API');
    return items.reduce((sum, item) => sum + quantityValue(item.value), 0);
  } catch (error) {
    if (error instanceof MetricError || signal.aborted) throw error;
    const missing = `the server could not find the requested resource (get ${name}.external.metrics.k8s.io)`;
    const why = isKubeError(error, 'NotFound')
      ? missing
      : error instanceof Error
        ? error.message
        : String(error);
    throw failed(`unable to fetch metrics from external metrics API: ${why}`);
  }
}

function tolerated(ratio: number, { up, down }: MetricScope['tolerance']): boolean {
  return ratio >= 1 - down && ratio <= 1 + up;
}

/** The selector as Go prints it: that is how the messages of a real control plane have it. */
function goSelector(selector: LabelSelector): string {
  const labels = Object.entries(selector.matchLabels ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  const map = labels.map(([key, value]) => `${key}: ${value},`).join('');
  const expressions = (selector.matchExpressions ?? [])
    .map((e) => `{${e.key} ${e.operator} [${(e.values ?? []).join(' ')}]},`)
    .join('');
  return `&LabelSelector{MatchLabels:map[string]string{${map}},MatchExpressions:[]LabelSelectorRequirement{${expressions}},}`;
}

/** A number as the HPA controller writes it: in thousandths. */
function milliQuantity(value: number): string {
  return formatQuantity({ nano: BigInt(Math.ceil(value * 1000 - 1e-6)) * 1_000_000n, binary: false });
}
