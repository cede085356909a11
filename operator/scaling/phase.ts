/**
 * Where a model is in its life between asleep and serving. `transitions.ts` moves it on; status and routes show it.
 * All times are monotonic milliseconds.
 */

import type { ModelState } from '../api/inference-model.ts';
import type { ENGINE_PROBLEMS } from '../api/reasons.ts';

export type Phase =
  /** No replicas and no pods. */
  | { is: 'Idle' }
  /** As Idle, and it has asked the budget for accelerators that are not free yet. */
  | { is: 'Waiting' }
  /** Replicas, none of which is ready. */
  | { is: 'Starting'; since: number }
  /** An engine is ready. */
  | { is: 'Serving' }
  /** The routers are told to hold new requests, so that it can go to zero. */
  | { is: 'Draining'; since: number }
  /** No replicas, and pods that still end. `since`: the routers hold new requests from then on, as after a drain. */
  | { is: 'Stopping'; since?: number }
  /** `spec.suspend`, and all pods are gone. */
  | { is: 'Suspended' };

export type PhaseName = Phase['is'];

/** Why wakes fail: what keeps engines from becoming ready, or time. */
export type WakeFailureReason = (typeof ENGINE_PROBLEMS)[number] | 'WakeTimeout';

/** The last wake that did not end in service. It is over once a wake does, or once another spec is applied. */
export interface WakeFailure {
  reason: WakeFailureReason;
  message: string;
  /** Wakes in a row that failed. */
  attempts: number;
  /** Before this nothing is tried again. */
  retryAt: number;
  /** `retryAt` has passed, and the routers have been told that requests may wake the model again. */
  retryable: boolean;
  /** `status.observedGeneration` of the spec that failed. */
  generation: number | undefined;
}

/** What the operator remembers of a model's life. Lost with the process, and safe to lose: `settle` finds the phase again. */
export interface Life {
  phase: Phase;
  failure?: WakeFailure | undefined;
}

/** Life of a model that nothing is known of yet. */
export const UNKNOWN_LIFE: Life = { phase: { is: 'Idle' } };

/** What is seen of a model in the cluster, as far as its phase follows from it. */
export interface Sighting {
  now: number;
  /** `spec.suspend`. */
  suspended: boolean;
  /** `spec.replicas` of the Deployment, the operator's own last write included. */
  replicas: number;
  /** Pods that exist, those that end included. */
  pods: number;
  ready: number;
  /** It has a request for accelerators with the budget. */
  waiting: boolean;
}

/**
 * The phase that follows from what is seen: others scale too, and a process that starts knows nothing. Only the drain has
 * to be remembered, and since when a start is under way.
 */
export function settle(phase: Phase, seen: Sighting): Phase {
  if (seen.replicas === 0) {
    if (seen.pods > 0) return stopping(phase);
    return same(phase, seen.suspended ? 'Suspended' : seen.waiting ? 'Waiting' : 'Idle');
  }
  if (phase.is === 'Draining') return phase;
  // Somebody else scaled it up while its last pods ended: the routers still hold.
  if (phase.is === 'Stopping' && phase.since !== undefined) return { is: 'Draining', since: phase.since };
  if (seen.ready > 0) return same(phase, 'Serving');
  return phase.is === 'Starting' ? phase : { is: 'Starting', since: seen.now };
}

function same(phase: Phase, is: 'Idle' | 'Waiting' | 'Suspended' | 'Serving'): Phase {
  return phase.is === is ? phase : { is };
}

function stopping(phase: Phase): Phase {
  if (phase.is === 'Stopping') return phase;
  return phase.is === 'Draining' ? { is: 'Stopping', since: phase.since } : { is: 'Stopping' };
}

/** Whether the routers are to hold new requests for the model although it has engines. */
export function isHeldBack(phase: Phase): boolean {
  return phase.is === 'Draining' || (phase.is === 'Stopping' && phase.since !== undefined);
}

/** `status.state`, and the state of a route: the phase, in the words of the API. */
export const STATE_OF: Readonly<Record<PhaseName, ModelState>> = {
  Idle: 'Idle',
  Waiting: 'Idle',
  Starting: 'Starting',
  Serving: 'Serving',
  Draining: 'Draining',
  Stopping: 'Draining',
  Suspended: 'Suspended',
};
