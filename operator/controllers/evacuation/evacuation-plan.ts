/** Decides what happens to the engine pods of one model that have an eviction notice: replace, drain, keep or delete. Pure. */
import type { LeavingPods } from '../../router/endpoints-from-slices.ts';
import { isFinished, isReady, type Pod } from '../shared/workloads.ts';

export interface PodNotice {
  /** Key of the taint, or type of the condition. */
  source: string;
  /** False if the pod is only more likely to be evicted than others. */
  certain: boolean;
  /** Whether the node repels a replacement pod. */
  repelled: boolean;
}

export interface EvacuationInput {
  pods: readonly Pod[];
  noticeOf: (pod: Pod) => PodNotice | undefined;
  /** Whether the pod was released from its ReplicaSet, which then creates a replacement. */
  isReleased: (pod: Pod) => boolean;
  /** Desired number of engines. */
  desired: number;
  /** The model drains to go to sleep, so no replacement is needed. */
  isDraining: boolean;
  /** How many more engines the budget allows. Only called if the answer matters. */
  room: () => number;
  /** Whether a pod without a replacement has finished its requests, or its drain timeout has passed. */
  isDrained: (pod: Pod) => boolean;
}

export type EvacuationStep =
  /** Start a replacement now. The engine is deleted once enough others are ready. */
  | { do: 'replace'; pod: Pod; notice: PodNotice }
  /** There is no room for a replacement. The engine gets no new requests and finishes those in flight. */
  | { do: 'drain'; pod: Pod; notice: PodNotice }
  /** There is no room, and the node may stay. The engine keeps serving. */
  | { do: 'keep'; pod: Pod; notice: PodNotice }
  /** Delete the pod. Its ReplicaSet then creates a replacement, unless there is one. */
  | { do: 'delete'; pod: Pod; notice: PodNotice };

export interface EvacuationPlan {
  steps: EvacuationStep[];
  /** For the route table; absent if no pod leaves. */
  leaving?: LeavingPods;
}

/**
 * Starts a replacement first if the budget allows. A released pod already has a replacement, so withdrawing the notice
 * changes nothing. A pod that is deleted anyway (DisruptionTarget) is only drained in the routes, because its
 * ReplicaSet replaces it.
 */
export function planEvacuation(input: EvacuationInput): EvacuationPlan {
  const { pods, noticeOf, isReleased, desired, isDraining, room, isDrained } = input;
  const present = pods.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  const noticed = present.flatMap((pod) => {
    const notice = noticeOf(pod);
    return notice ? [{ pod, notice }] : [];
  });
  if (noticed.length === 0) return { steps: [] };
  const staying = present.filter((pod) => !isFinished(pod) && noticeOf(pod) === undefined);
  const enough = staying.filter(isReady).length >= desired;
  const steps: EvacuationStep[] = [];
  let missing = desired - staying.length;
  let left: number | undefined;
  for (const { pod, notice } of noticed) {
    if (isReleased(pod)) {
      if (enough || isFinished(pod)) steps.push({ do: 'delete', pod, notice });
    } else if (enough || isDraining || !notice.repelled || isFinished(pod)) {
      // Nothing to do: the other engines suffice, or another controller deletes and replaces the pod.
    } else if (!isReady(pod)) {
      if (notice.certain) steps.push({ do: 'delete', pod, notice });
    } else if (missing <= 0) {
      // Enough replacements are starting.
    } else {
      left ??= room();
      if (left >= 1) {
        steps.push({ do: 'replace', pod, notice });
        left -= 1;
        missing -= 1;
      } else if (!notice.certain) steps.push({ do: 'keep', pod, notice });
      else steps.push({ do: isDrained(pod) ? 'delete' : 'drain', pod, notice });
    }
  }
  const isComing =
    staying.length > 0 ||
    noticed.some(({ pod }) => isReleased(pod)) ||
    steps.some((step) => step.do === 'replace');
  const leaving = noticed.filter(
    ({ pod, notice }) =>
      notice.certain || isReleased(pod) || steps.some((step) => step.do === 'replace' && step.pod === pod),
  );
  if (leaving.length === 0) return { steps };
  return {
    steps,
    leaving: {
      pods: new Set(leaving.map(({ pod }) => pod.metadata.uid ?? '')),
      evenLast:
        desired === 0 || (!isComing && steps.some((step) => step.do === 'drain' || step.do === 'delete')),
    },
  };
}
