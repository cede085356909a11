/** Whether the engines of a rollout may start beside those of before. Pure. */
import type { Deployment, Pod } from '../shared/workloads.ts';
import { isReleased } from '../shared/workloads.ts';

/**
 * How long a new engine waits for accelerators before an engine of before is given up for it. Autoscalers of nodes take
 * up to about this long for a machine with GPUs.
 */
export const SURGE_PATIENCE_MS = 10 * 60_000;

export interface RolloutRoomInput {
  deployment: Deployment | undefined;
  pods: readonly Pod[];
  /** The resource that accelerators are asked for by, such as `nvidia.com/gpu`. */
  resourceName: string;
  /** Milliseconds since 1970. */
  now: number;
}

/**
 * False once a new engine has found no accelerators for long: then a rollout goes on by stopping an old one first, until
 * it has ended. `lookAgainMs`: when that can become so by time alone.
 */
export function rolloutRoom(input: RolloutRoomInput): { surge: boolean; lookAgainMs?: number } {
  const { deployment, pods, now } = input;
  if (!deployment) return { surge: true };
  const { observedGeneration = 0, replicas = 0, updatedReplicas = 0 } = deployment.status ?? {};
  const surge = deployment.spec.strategy?.rollingUpdate?.maxSurge !== 0;
  // What its controller has not seen yet, a change of the strategy for one, tells nothing about the rollout.
  if (observedGeneration < (deployment.metadata.generation ?? 0)) return { surge };
  if (replicas <= updatedReplicas) return { surge: true };
  if (!surge) return { surge };
  const since = pods.flatMap((pod) => waitsForAccelerators(pod, input.resourceName) ?? []);
  if (since.length === 0) return { surge: true };
  const left = Math.min(...since) + SURGE_PATIENCE_MS - now;
  return left <= 0 ? { surge: false } : { surge: true, lookAgainMs: left };
}

/** Since when, in milliseconds since 1970. */
function waitsForAccelerators(pod: Pod, resourceName: string): number | undefined {
  if (pod.metadata.deletionTimestamp !== undefined || isReleased(pod)) return undefined;
  const scheduled = pod.status?.conditions?.find(
    ({ type, status }) => type === 'PodScheduled' && status === 'False',
  );
  if (scheduled?.reason !== 'Unschedulable') return undefined;
  if (!scheduled.message?.includes(`Insufficient ${resourceName}`)) return undefined;
  return Date.parse(scheduled.lastTransitionTime ?? pod.metadata.creationTimestamp ?? '') || undefined;
}
