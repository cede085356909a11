/** Whether a rollout may start new engines beside the previous ones. Pure. */
import type { Deployment, Pod } from '../shared/workloads.ts';
import { isReleased } from '../shared/workloads.ts';

/**
 * How long a new engine waits for accelerators before a previous one is stopped for it. Cluster autoscalers take up to
 * about this long to add a GPU node.
 */
export const SURGE_PATIENCE_MS = 10 * 60_000;

export interface RolloutRoomInput {
  deployment: Deployment | undefined;
  pods: readonly Pod[];
  /** Resource name of the accelerators, such as `nvidia.com/gpu`. */
  resourceName: string;
  /** Milliseconds since 1970. */
  now: number;
}

/**
 * `surge` is false once a new engine has found no accelerators for long. The rollout then stops a previous engine
 * first, until it is complete. `requeueAfterMs` is the time until that can happen.
 */
export function rolloutRoom(input: RolloutRoomInput): { surge: boolean; requeueAfterMs?: number } {
  const { deployment, pods, now } = input;
  if (!deployment) return { surge: true };
  const { observedGeneration = 0, replicas = 0, updatedReplicas = 0 } = deployment.status ?? {};
  const surge = deployment.spec.strategy?.rollingUpdate?.maxSurge !== 0;
  // Until the Deployment controller has observed a change, such as one of the strategy, its status is stale.
  if (observedGeneration < (deployment.metadata.generation ?? 0)) return { surge };
  if (replicas <= updatedReplicas) return { surge: true };
  if (!surge) return { surge };
  const since = pods.flatMap((pod) => waitsForAccelerators(pod, input.resourceName) ?? []);
  if (since.length === 0) return { surge: true };
  const left = Math.min(...since) + SURGE_PATIENCE_MS - now;
  return left <= 0 ? { surge: false } : { surge: true, requeueAfterMs: left };
}

/** Start of the wait in milliseconds since 1970. */
function waitsForAccelerators(pod: Pod, resourceName: string): number | undefined {
  if (pod.metadata.deletionTimestamp !== undefined || isReleased(pod)) return undefined;
  const scheduled = pod.status?.conditions?.find(
    ({ type, status }) => type === 'PodScheduled' && status === 'False',
  );
  if (scheduled?.reason !== 'Unschedulable') return undefined;
  if (!scheduled.message?.includes(`Insufficient ${resourceName}`)) return undefined;
  return Date.parse(scheduled.lastTransitionTime ?? pod.metadata.creationTimestamp ?? '') || undefined;
}
