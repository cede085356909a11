/**
 * Sleep and wake of one model, as a pure function: from what is seen now to what is done now.
 * The table of transitions is in docs/scaling.md. Between 1 and N somebody else decides; this decides 0, 1 and not.
 */
import type { ModelState } from '../api/inference-model.ts';
import type { Demand } from './demand.ts';

/** A drain under way: routers are told to hold new requests, so that none can start while the model goes to zero. */
export interface Drain {
  since: number;
  /** Every router has confirmed the table that says so. */
  confirmed: boolean;
}

/** The last wake did not end in service. */
export interface WakeFailure {
  reason: string;
  message: string;
  /** Before this nothing is tried again. */
  retryAt: number;
  /** Until here demand from before the failure has been answered with 503 and does not count. */
  since: number;
}

export interface LifecycleInput {
  /** Monotonic milliseconds, as all times here. */
  now: number;
  suspended: boolean;
  /** Bounds in force now, schedules included. 0 as minimum allows sleep. */
  minReplicas: number;
  idleTimeoutMs: number;
  drainTimeoutMs: number;
  /** `spec.replicas` of the Deployment. */
  replicas: number;
  /** Pods that exist, the ones being stopped included. */
  pods: number;
  ready: number;
  demand: Demand;
  drain?: Drain | undefined;
  /** Why engines cannot become ready, if that will not change by waiting. */
  startFailure?: { reason: string; message: string } | undefined;
  failure?: WakeFailure | undefined;
  /** The budget has room for the first replica. Asked for only when it matters. */
  granted: boolean;
  /** The budget wants the accelerators of this model for another. */
  evicted: boolean;
}

export type LifecycleAction =
  | { do: 'nothing' }
  /** Ask the budget for the first replica and wait for it. */
  | { do: 'queue' }
  | { do: 'wake'; replicas: number; reason: 'Demand' | 'MinReplicas' }
  | { do: 'drain'; reason: 'Idle' | 'Suspended' | 'Evicted' }
  | { do: 'undrain'; reason: 'Demand' | 'Resumed' }
  | { do: 'sleep'; reason: 'Idle' | 'Suspended' | 'Evicted' }
  /** Give up on a start: held requests end with the reason, and the replicas go back to zero. */
  | { do: 'giveUp'; reason: string; message: string };

export interface LifecycleDecision {
  state: ModelState;
  action: LifecycleAction;
  /** When to look again although nothing changed, in milliseconds from now. */
  lookAgainMs?: number;
}

/** What to do now. Total: every input has an answer, and the same input has the same one. */
export function decideLifecycle(input: LifecycleInput): LifecycleDecision {
  if (input.suspended) return whileSuspended(input);
  if (input.replicas === 0) return atZero(input);
  if (input.drain) return whileDraining(input, input.drain);
  if (input.ready === 0) return whileStarting(input);
  return whileServing(input);
}

function whileSuspended(input: LifecycleInput): LifecycleDecision {
  const { replicas, pods, drain, demand, now, drainTimeoutMs } = input;
  if (replicas === 0) return { state: pods > 0 ? 'Draining' : 'Suspended', action: { do: 'nothing' } };
  if (!drain) return { state: 'Draining', action: { do: 'drain', reason: 'Suspended' } };
  const left = drain.since + drainTimeoutMs - now;
  const drained = drain.confirmed && demand.known && demand.inFlight === 0;
  if (drained || left <= 0) return { state: 'Draining', action: { do: 'sleep', reason: 'Suspended' } };
  return { state: 'Draining', action: { do: 'nothing' }, lookAgainMs: left };
}

function atZero(input: LifecycleInput): LifecycleDecision {
  const { pods, demand, minReplicas, failure, now, granted } = input;
  const state: ModelState = pods > 0 ? 'Draining' : 'Idle';
  const reason =
    minReplicas > 0 ? 'MinReplicas' : demand.held > 0 || demand.queued > 0 ? 'Demand' : undefined;
  if (!reason) return { state, action: { do: 'nothing' } };
  if (failure && now < failure.retryAt)
    return { state, action: { do: 'nothing' }, lookAgainMs: failure.retryAt - now };
  if (!granted) return { state, action: { do: 'queue' } };
  return { state: 'Starting', action: { do: 'wake', replicas: Math.max(1, minReplicas), reason } };
}

function whileStarting(input: LifecycleInput): LifecycleDecision {
  const { startFailure, minReplicas } = input;
  // A model that must run keeps trying, as any Deployment does; one that may sleep gives its accelerators back.
  if (startFailure && minReplicas === 0)
    return { state: 'Starting', action: { do: 'giveUp', ...startFailure } };
  return { state: 'Starting', action: { do: 'nothing' } };
}

function whileServing(input: LifecycleInput): LifecycleDecision {
  const { minReplicas, demand, now, idleTimeoutMs, evicted } = input;
  // The budget weighed use against priority already; streams that run are let to their end by the drain.
  if (evicted) return { state: 'Draining', action: { do: 'drain', reason: 'Evicted' } };
  if (minReplicas > 0) return { state: 'Serving', action: { do: 'nothing' } };
  // Nothing tells when the last request ends; before a whole timeout from now the model cannot have been idle for one.
  if (!demand.known || isWanted(demand))
    return { state: 'Serving', action: { do: 'nothing' }, lookAgainMs: idleTimeoutMs };
  const left = demand.lastUsed + idleTimeoutMs - now;
  if (left > 0) return { state: 'Serving', action: { do: 'nothing' }, lookAgainMs: left };
  return { state: 'Draining', action: { do: 'drain', reason: 'Idle' } };
}

function whileDraining(input: LifecycleInput, drain: Drain): LifecycleDecision {
  const { demand, minReplicas, evicted, idleTimeoutMs, now } = input;
  if (!evicted && minReplicas > 0) return { state: 'Serving', action: { do: 'undrain', reason: 'Resumed' } };
  // It was used after all, or was drained for somebody who needs its place no longer.
  const isIdle = !isWanted(demand) && now - demand.lastUsed >= idleTimeoutMs;
  if (!evicted && !isIdle)
    return { state: 'Serving', action: { do: 'undrain', reason: 'Demand' }, lookAgainMs: idleTimeoutMs };
  if (!demand.known || !drain.confirmed || demand.inFlight > 0)
    return { state: 'Draining', action: { do: 'nothing' } };
  return { state: 'Draining', action: { do: 'sleep', reason: evicted ? 'Evicted' : 'Idle' } };
}

function isWanted(demand: Demand): boolean {
  return demand.inFlight > 0 || demand.held > 0 || demand.queued > 0;
}
