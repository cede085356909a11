/** What becomes of the engines of one model whose end is announced: who is replaced first, who goes, who takes no more. Pure. */
import type { LeavingPods } from '../../router/endpoints-from-slices.ts';
import { isFinished, isReady, type Pod } from '../shared/workloads.ts';

export interface PodNotice {
  /** A taint's key, or a condition's type. */
  source: string;
  /** False where the pod is only more likely to end than others. */
  certain: boolean;
  /** A replacement would not come to the same node. */
  repelled: boolean;
}

export interface EvacuationInput {
  pods: readonly Pod[];
  noticeOf: (pod: Pod) => PodNotice | undefined;
  /** Whether it is out of its ReplicaSet, which makes another. */
  isReleased: (pod: Pod) => boolean;
  /** Engines that there are to be. */
  desired: number;
  /** The model drains to go to sleep: what it has is enough. */
  isDraining: boolean;
  /** How many more engines the budget allows. Asked for only when it matters. */
  room: () => number;
  /** Whether a pod that cannot be replaced first has finished what it had, or has had its time. */
  isDrained: (pod: Pod) => boolean;
}

export type EvacuationStep =
  /** A replacement starts now; the engine goes once enough others are ready. */
  | { do: 'replace'; pod: Pod; notice: PodNotice }
  /** There is no room for a replacement: it takes no new requests and finishes what it has. */
  | { do: 'drain'; pod: Pod; notice: PodNotice }
  /** There is no room, and it may well stay: it goes on serving. */
  | { do: 'keep'; pod: Pod; notice: PodNotice }
  /** It is deleted, which makes its replacement start where it has none. */
  | { do: 'delete'; pod: Pod; notice: PodNotice };

export interface EvacuationPlan {
  steps: EvacuationStep[];
  /** For the route table; absent without any. */
  leaving?: LeavingPods;
}

/**
 * Another replica first, where the budget allows. A pod that was released from its ReplicaSet is replaced already: a
 * notice that is taken back afterwards changes nothing. A pod that is deleted anyway (DisruptionTarget) is only drained
 * in the routes: its ReplicaSet replaces it.
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
      // What holds it, or who deletes it, takes care of it.
    } else if (!isReady(pod)) {
      if (notice.certain) steps.push({ do: 'delete', pod, notice });
    } else if (missing <= 0) {
      // Others start already.
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
