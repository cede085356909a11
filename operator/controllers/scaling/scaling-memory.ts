/** What the scaling of one model remembers between reconciles. Lost with the process, and safe to lose. */
import { compareResourceVersions } from '../../kube/resource-version.ts';
import type { LeavingPods } from '../../router/endpoints-from-slices.ts';
import { InternalAutoscaler } from '../../scaling/internal-autoscaler.ts';
import type { WakeFailure } from '../../scaling/lifecycle.ts';
import type { Deployment } from '../shared/workloads.ts';

/** Times are monotonic milliseconds. */
export interface ScalingMemory {
  /** Since when routers are told to hold requests for the model. */
  drainingSince?: number | undefined;
  failure?: WakeFailure | undefined;
  /** Generation of the spec that failed: another one deserves another try. */
  failedGeneration?: number | undefined;
  /** Wakes in a row that failed. */
  failures: number;
  /** The failure is over: requests may wake the model again, and the routers have been told. */
  failureOver?: boolean | undefined;
  /** Since when the model waits for accelerators, and for how many replicas in all. */
  waiting?: { since: number; replicas: number } | undefined;
  /** 1 is next; absent while it does not wait. */
  queuePosition?: number | undefined;
  /** The waiting model for which this one is to go to sleep. */
  evictedFor?: string | undefined;
  /** Since when it has replicas of which none is ready. */
  startingSince?: number | undefined;
  /** The number that the operator last asked for. */
  wish?: number | undefined;
  /** The last write to the Deployment's replicas, which the local copy may not show yet. */
  written?: { replicas: number; resourceVersion: string } | undefined;
  /** Replicas of a write that is under way. */
  pending?: number | undefined;
  /** Pods whose end is announced, as the route table is to have it. Replaced as a whole. */
  leaving?: LeavingPods | undefined;
  /** UIDs of pods that are being released from their ReplicaSet, for which the budget has to have room. */
  releasing?: ReadonlySet<string> | undefined;
  autoscaler: InternalAutoscaler;
}

export class ScalingMemories {
  readonly #byUid = new Map<string, ScalingMemory>();

  /** The memory of a model, made when first asked for. */
  of(uid: string): ScalingMemory {
    let memory = this.#byUid.get(uid);
    if (!memory) {
      memory = { failures: 0, autoscaler: new InternalAutoscaler() };
      this.#byUid.set(uid, memory);
    }
    return memory;
  }

  /** The memory of a model, if there is one. */
  peek(uid: string): ScalingMemory | undefined {
    return this.#byUid.get(uid);
  }

  /** Whether the model waits for accelerators. */
  isWaiting(uid: string): boolean {
    return this.#byUid.get(uid)?.waiting !== undefined;
  }

  forget(uid: string): void {
    this.#byUid.delete(uid);
  }

  clear(): void {
    this.#byUid.clear();
  }
}

/** `spec.replicas` of a Deployment, of the local copy or of our last write, whichever is newer. */
export function replicasOf(deployment: Deployment, memory: ScalingMemory | undefined): number {
  const { written } = memory ?? {};
  const copied = deployment.metadata.resourceVersion ?? '';
  const isNewer = written !== undefined && compareResourceVersions(written.resourceVersion, copied) > 0;
  return isNewer ? written.replicas : (deployment.spec.replicas ?? 1);
}
