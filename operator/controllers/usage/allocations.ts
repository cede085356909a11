/** Which accelerators pods hold, and since when, from what the API server says of them. Pure. */
import type { Allocation } from '../../usage/account.ts';
import { isFinished, type Pod } from '../shared/workloads.ts';

/** What the pool says of its accelerators. */
export interface Accelerators {
  /** Extended resource; undefined in a pool of CPUs, where each pod counts as `count`. */
  resourceName: string | undefined;
  /** Accelerators of one replica. */
  count: number;
  /** Price of one accelerator-hour of a pod; undefined without a price. */
  hourlyCostOf: (pod: Pod) => number | undefined;
}

/** What was seen of a pod that it does not say any more. Times are in milliseconds since 1970. */
export interface SeenOfPod {
  /** When it was found to be deleted. */
  gone?: number | undefined;
  /** Since when it was ready, the last time that it was. */
  readySince?: number | undefined;
}

/**
 * The accelerators that a pod holds from when a kubelet accepted it until its last container terminated. Undefined if it
 * never held any.
 */
export function allocationOf(
  pod: Pod,
  model: string,
  { resourceName, count, hourlyCostOf }: Accelerators,
  seen: SeenOfPod = {},
): Allocation | undefined {
  const { metadata, spec, status } = pod;
  const accepted = timeOf(status?.startTime);
  const accelerators = resourceName === undefined ? count : limits(spec.containers, resourceName);
  if (accepted === undefined || accelerators === 0) return undefined;
  // Others may write the status of a pod, but only the API server says when it was created.
  const start = Math.max(accepted, timeOf(metadata.creationTimestamp) ?? accepted);
  const end = isFinished(pod) ? finishedAt(pod, start) : seen.gone;
  const hourlyCost = hourlyCostOf(pod);
  return {
    uid: metadata.uid ?? '',
    model,
    accelerators,
    start,
    ...(end !== undefined && { end }),
    ...(seen.gone !== undefined && { isGone: true }),
    ...readyTimes(pod, seen.readySince),
    ...(hourlyCost !== undefined && { hourlyCost }),
  };
}

/** Since when the pod is ready, in milliseconds since 1970; undefined if it is not. */
export function readySinceOf({ status }: Pod): number | undefined {
  const ready = status?.conditions?.find(({ type }) => type === 'Ready');
  return ready?.status === 'True' ? timeOf(ready.lastTransitionTime) : undefined;
}

function readyTimes(pod: Pod, before: number | undefined): Pick<Allocation, 'readySince' | 'readyUntil'> {
  const readySince = readySinceOf(pod);
  if (readySince !== undefined) return { readySince };
  const lost = pod.status?.conditions?.find(({ type }) => type === 'Ready');
  const readyUntil = timeOf(lost?.lastTransitionTime);
  return before === undefined || readyUntil === undefined ? {} : { readySince: before, readyUntil };
}

function limits(containers: Pod['spec']['containers'] = [], resourceName: string): number {
  return containers.reduce((sum, { resources }) => {
    const limit = Number(resources?.limits?.[resourceName] ?? 0);
    return Number.isSafeInteger(limit) && limit > 0 ? sum + limit : sum;
  }, 0);
}

/** A pod that never ran a container has no such time, and held nothing for long. */
function finishedAt({ status }: Pod, start: number): number {
  const times = (status?.containerStatuses ?? []).map(({ state }) => timeOf(state?.terminated?.finishedAt));
  return Math.max(start, ...times.filter((time) => time !== undefined));
}

function timeOf(text: string | undefined): number | undefined {
  const ms = Date.parse(text ?? '');
  return Number.isNaN(ms) ? undefined : ms;
}
