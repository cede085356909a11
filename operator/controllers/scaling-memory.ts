/** What the scaling of one model remembers between reconciles. Lost with the process, and safe to lose. */
import type { AutoscalerDecision } from '../scaling/internal-autoscaler.ts';
import { InternalAutoscaler } from '../scaling/internal-autoscaler.ts';
import type { WakeFailure } from '../scaling/lifecycle.ts';

/** Times are monotonic milliseconds. */
export interface ScalingMemory {
  /** Since when routers are told to hold requests for the model. */
  drainingSince?: number | undefined;
  failure?: WakeFailure | undefined;
  /** Generation of the spec that failed: another one deserves another try. */
  failedGeneration?: number | undefined;
  /** Wakes in a row that failed. */
  failures: number;
  /** Since when the model waits for accelerators. */
  waitingSince?: number | undefined;
  /** 1 is next; absent while it does not wait. */
  queuePosition?: number | undefined;
  /** The waiting model for which this one is to go to sleep. */
  evictedFor?: string | undefined;
  /** When replicas were last raised from zero. */
  wokenAt?: number | undefined;
  /** The number that the operator last asked for. */
  wish?: number | undefined;
  /** Replicas that were asked for and that the Deployment may not show yet. */
  reserved?: { replicas: number; until: number } | undefined;
  autoscaler: InternalAutoscaler;
  lastDecision?: AutoscalerDecision | undefined;
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

  forget(uid: string): void {
    this.#byUid.delete(uid);
  }

  clear(): void {
    this.#byUid.clear();
  }
}
