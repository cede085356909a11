/** Bounds that autoscalers beside a workload have for it. */
import { type Fields, fieldsOf, textOf } from './draft.ts';

/** Autoscalers of a file: HorizontalPodAutoscalers, and ScaledObjects of KEDA. Bounds by the name of what they scale. */
export function boundsOf(object: Fields): { target: string; min: unknown; max: unknown } | undefined {
  const spec = fieldsOf(object.spec);
  const target = textOf(fieldsOf(spec.scaleTargetRef).name);
  if (target === undefined) return undefined;
  if (object.kind === 'HorizontalPodAutoscaler')
    return { target, min: spec.minReplicas ?? 1, max: spec.maxReplicas };
  if (object.kind === 'ScaledObject')
    return { target, min: spec.minReplicaCount ?? 0, max: spec.maxReplicaCount ?? 100 };
  return undefined;
}
