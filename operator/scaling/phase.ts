/**
 * The lifecycle phases of a model between asleep and serving. `transitions.ts` changes them; status and routes show them.
 * All times are in monotonic milliseconds.
 */
import type { ModelState } from '../api/inference-model.ts';
import type { ENGINE_PROBLEMS } from '../api/reasons.ts';

export type Phase =
  /** No replicas and no pods. */
  | { is: 'Idle' }
  /** Like Idle, with a pending request for accelerators. */
  | { is: 'Waiting' }
  /** Has replicas, none of which is ready. */
  | { is: 'Starting'; since: number }
  /** An engine is ready. */
  | { is: 'Serving' }
  /** The routers hold new requests, so that the model can scale to zero. */
  | { is: 'Draining'; since: number }
  /** No replicas, but terminating pods. `since`: since when the routers hold new requests, if a drain came before. */
  | { is: 'Stopping'; since?: number }
  /** `spec.suspend`, and all pods are gone. */
  | { is: 'Suspended' };

export type PhaseName = Phase['is'];

/** Why wakes fail: a problem of the engines, or a timeout. */
export type WakeFailureReason = (typeof ENGINE_PROBLEMS)[number] | 'WakeTimeout';

/** The last failed wake. Cleared once a wake succeeds or another spec is applied. */
export interface WakeFailure {
  reason: WakeFailureReason;
  message: string;
  /** Number of consecutive failures. */
  attempts: number;
  /** Earliest time of the next attempt. */
  retryAt: number;
  /** `retryAt` has passed, and the route table lets requests wake the model again. */
  retryable: boolean;
  /** `status.observedGeneration` of the spec that failed. */
  generation: number | undefined;
}

/** What the operator remembers of a model. Safe to lose with the process, because `settle` restores the phase. */
export interface Lifecycle {
  phase: Phase;
  failure?: WakeFailure | undefined;
}

/** The lifecycle of a model of which nothing is known yet. */
export const UNKNOWN_LIFECYCLE: Lifecycle = { phase: { is: 'Idle' } };

/** The observed state of a model that determines its phase. */
export interface PhaseObservation {
  now: number;
  /** `spec.suspend`. */
  suspended: boolean;
  /** `spec.replicas` of the Deployment, including the operator's own last write. */
  replicas: number;
  /** Existing pods, including terminating ones. */
  pods: number;
  ready: number;
  /** Whether it has a pending request for accelerators. */
  waiting: boolean;
}

/**
 * Corrects the phase by the observed state, because others scale too and a new process knows nothing. Only a drain and the
 * start time of a start have to be remembered.
 */
export function settle(phase: Phase, seen: PhaseObservation): Phase {
  if (seen.replicas === 0) {
    if (seen.pods > 0) return stopping(phase);
    return same(phase, seen.suspended ? 'Suspended' : seen.waiting ? 'Waiting' : 'Idle');
  }
  if (phase.is === 'Draining') return phase;
  // Something else scaled it up while its last pods terminated, so the routers still hold requests.
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

/** Whether the routers have to hold new requests although the model has engines. */
export function isHeldBack(phase: Phase): boolean {
  return phase.is === 'Draining' || (phase.is === 'Stopping' && phase.since !== undefined);
}

/** Maps the phase to `status.state`, which is also the state of a route. */
export const STATE_OF: Readonly<Record<PhaseName, ModelState>> = {
  Idle: 'Idle',
  Waiting: 'Idle',
  Starting: 'Starting',
  Serving: 'Serving',
  Draining: 'Draining',
  Stopping: 'Draining',
  Suspended: 'Suspended',
};
