/** Bounds that autoscalers beside a workload have for it. */
import { type Fields, fieldsOf, isEmpty, textOf } from './draft.ts';

/** What an autoscaler says as fields of `spec.scaling`, and the workload that it scales. */
export interface Bounds {
  target: string;
  scaling: Fields;
}

/** A workload in its namespace, as autoscalers name it. */
export function targetKey(kind: unknown, metadata: Fields, name = metadata.name): string {
  return [kind, textOf(metadata.namespace) ?? '', name].map(String).join('/');
}

/** Bounds of a HorizontalPodAutoscaler, or of a ScaledObject of KEDA; undefined for other objects. */
export function boundsOf({ kind, metadata, spec: given }: Fields): Bounds | undefined {
  const spec = fieldsOf(given);
  const reference = fieldsOf(spec.scaleTargetRef);
  const name = textOf(reference.name);
  if (name === undefined) return undefined;
  const target = targetKey(textOf(reference.kind) ?? 'Deployment', fieldsOf(metadata), name);
  if (kind === 'HorizontalPodAutoscaler') {
    const scaling = { minReplicas: spec.minReplicas ?? 1, maxReplicas: spec.maxReplicas };
    return { target, scaling: isEmpty(spec.behavior) ? scaling : { ...scaling, behavior: spec.behavior } };
  }
  if (kind !== 'ScaledObject') return undefined;
  const minReplicas = spec.idleReplicaCount ?? spec.minReplicaCount ?? 0;
  const idle = minReplicas === 0 && { idleTimeout: `${Number(spec.cooldownPeriod ?? 300)}s` };
  return { target, scaling: { minReplicas, maxReplicas: spec.maxReplicaCount ?? 100, ...idle } };
}
