import { satisfies } from '../../../operator/values/label-selector.ts';
import { quantityValue } from '../../../operator/values/quantity.ts';
import type { NodeObject, Pod, Toleration } from '../kinds.ts';

/** Amounts by resource name; `pods` counts pods. */
export type Resources = Readonly<Record<string, number>>;

/**
 * Why a pod does not fit on a node, in kube-scheduler's words; undefined when it fits.
 * @param used the sum of the requests of the node's pods
 */
export function misfit(pod: Pod, node: NodeObject, used: Resources): string | undefined {
  if (node.spec.unschedulable) return 'node(s) were unschedulable';
  const taint = (node.spec.taints ?? []).find(
    (t) => t.effect !== 'PreferNoSchedule' && !(pod.spec.tolerations ?? []).some((own) => tolerates(own, t)),
  );
  if (taint) return 'node(s) had untolerated taint(s)';
  if (!matchesNode(pod, node)) return "node(s) didn't match Pod's node affinity/selector";
  const allocatable = node.status?.allocatable ?? {};
  for (const [name, amount] of Object.entries(podRequests(pod))) {
    if (amount > 0 && (used[name] ?? 0) + amount > quantityValue(allocatable[name] ?? '0')) {
      return name === 'pods' ? 'Too many pods' : `Insufficient ${name}`;
    }
  }
  return undefined;
}

/** The requests of a pod: the sum of its containers, or an init container's part where that is larger. */
export function podRequests(pod: Pod): Resources {
  const total: Record<string, number> = { pods: 1 };
  for (const container of pod.spec.containers) {
    for (const [name, amount] of Object.entries({
      ...container.resources?.limits,
      ...container.resources?.requests,
    })) {
      // A limit without a request counts as a request of the same amount, as the API server's defaulting does.
      total[name] = (total[name] ?? 0) + quantityValue(container.resources?.requests?.[name] ?? amount);
    }
  }
  for (const container of pod.spec.initContainers ?? []) {
    for (const [name, amount] of Object.entries(container.resources?.requests ?? {})) {
      const always = container.restartPolicy === 'Always';
      total[name] = always
        ? (total[name] ?? 0) + quantityValue(amount)
        : Math.max(total[name] ?? 0, quantityValue(amount));
    }
  }
  return total;
}

function matchesNode(pod: Pod, node: NodeObject): boolean {
  const labels = node.metadata.labels ?? {};
  const selector = Object.entries(pod.spec.nodeSelector ?? {});
  if (!selector.every(([key, value]) => labels[key] === value)) return false;
  const required = pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  if (!required) return true;
  const fields = { 'metadata.name': node.metadata.name };
  // Terms are alternatives; an empty term matches nothing.
  return required.nodeSelectorTerms.some(
    ({ matchExpressions = [], matchFields = [] }) =>
      matchExpressions.length + matchFields.length > 0 &&
      matchExpressions.every((requirement) => satisfies(requirement, labels)) &&
      matchFields.every((requirement) => satisfies(requirement, fields)),
  );
}

function tolerates(toleration: Toleration, taint: { key: string; value?: string; effect: string }): boolean {
  if (toleration.effect && toleration.effect !== taint.effect) return false;
  if (!toleration.key) return toleration.operator === 'Exists';
  if (toleration.key !== taint.key) return false;
  return toleration.operator === 'Exists' || (toleration.value ?? '') === (taint.value ?? '');
}
