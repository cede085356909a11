/**
 * The sleep and wake of one model as a table of rules: from phase and observation to next phase and effects. Sizing between
 * 1 and N happens elsewhere. docs/reference/transitions.md is generated from these rules.
 */
import type { Demand } from './demand.ts';
import {
  type Lifecycle,
  type Phase,
  type PhaseName,
  type PhaseObservation,
  settle,
  type WakeFailure,
  type WakeFailureReason,
} from './phase.ts';

/** All inputs of a transition. Times are in monotonic milliseconds. */
export interface Observation extends PhaseObservation {
  /** Whether the operator decides on sleep and wake. False for a fixed number of replicas. */
  sleeps: boolean;
  /** Lower bound in force, including schedules. 0 allows sleep. */
  minReplicas: number;
  idleTimeoutMs: number;
  drainTimeoutMs: number;
  wakeTimeoutMs: number;
  /** Pods that have not been asked to terminate. */
  staying: number;
  demand: Demand;
  /** Whether all routers have confirmed a table that holds the model's requests back. */
  heldBack: boolean;
  /** Why engines do not become ready. `needsUser`: waiting does not help. */
  problem?: { reason: WakeFailureReason; message: string; needsUser: boolean } | undefined;
  /** Whether the budget has granted the first replicas. */
  granted: boolean;
  /** Whether the budget wants the accelerators of this model for another one. */
  evicted: boolean;
  /** `status.observedGeneration`, which identifies the spec of the engines. */
  generation: number | undefined;
}

export type SleepCause = 'Idle' | 'Suspended' | 'Evicted' | 'Failed';
export type WakeCause = 'Demand' | 'Minimum';

/** What the reconciler executes, in this order, after it has stored the new lifecycle. */
export type Effect =
  /** Request this total number of replicas from the budget. If it grants them, `transition` is called again. */
  | { do: 'askBudget'; replicas: number }
  | { do: 'withdrawFromBudget' }
  /** The route table has to change. */
  | { do: 'updateRoutes' }
  | { do: 'wake'; replicas: number; because: WakeCause }
  | { do: 'sleep'; because: SleepCause }
  | { do: 'reportFailure'; failure: WakeFailure };

export interface Transition {
  lifecycle: Lifecycle;
  effects: readonly Effect[];
  /** Delay until the next reconcile if nothing changes, in milliseconds. */
  requeueAfterMs?: number;
  /** Whether the model is neither asleep nor on the way to or from sleep, so that it may be sized between 1 and N. */
  awake: boolean;
}

/** Interval for changes that no watch reports: confirmations of routers, and requests that end. */
const POLL_MS = 250;
/** Delay until the watch shows that the previous pods are being deleted. */
const AT_ONCE_MS = 20;
/** Interval while waiting for accelerators, because priority grows with the waiting time. */
export const QUEUE_MS = 2_000;
/** Interval while routers do not answer. */
const UNKNOWN_DEMAND_MS = 1_000;
/** Delay after the first failed wake. It doubles with each further one. */
const WAKE_BACKOFF_MS = 30_000;
const MAX_WAKE_BACKOFF_MS = 300_000;

/** The case that a rule is applied to. */
interface Case<P extends Phase = Phase> {
  phase: P;
  failure: WakeFailure | undefined;
  seen: Observation;
}

/** The result of a rule. Omitted fields do not change. */
interface Step {
  phase?: Phase;
  failure?: WakeFailure;
  effects?: readonly Effect[];
  requeueAfterMs?: number | undefined;
}

interface Rule<N extends PhaseName = PhaseName> {
  from: readonly N[];
  /** For the generated documentation. */
  when: string;
  outcome: string;
  applies: (it: Case<Extract<Phase, { is: N }>>) => boolean;
  step: (it: Case<Extract<Phase, { is: N }>>) => Step;
}

function rule<N extends PhaseName>(rule: Rule<N>): Rule {
  return rule as unknown as Rule;
}

const AT_ZERO = ['Idle', 'Waiting', 'Stopping', 'Suspended'] as const;

/** The first rule that applies to the phase wins. */
export const RULES: readonly Rule[] = [
  rule({
    from: AT_ZERO,
    when: 'a fixed number of replicas',
    outcome: 'stays at zero until `spec.scaling.replicas` is raised',
    applies: ({ seen }) => !seen.suspended && !seen.sleeps,
    step: () => ({}),
  }),
  rule({
    from: AT_ZERO,
    when: '`spec.suspend`, or no minimum and no request',
    outcome: 'stays at zero; a pending request for accelerators is withdrawn',
    applies: ({ seen }) => seen.suspended || wakeCause(seen) === undefined,
    step: ({ seen, failure, phase }) => ({
      phase: phase.is === 'Waiting' ? { is: 'Idle' } : phase,
      effects: withdraw(seen),
      requeueAfterMs: untilRetry(seen, failure),
    }),
  }),
  rule({
    from: AT_ZERO,
    when: 'a minimum or a request, and the last wake failed recently',
    outcome: 'stays at zero until the next attempt is due; requests get 503 with the reason',
    applies: ({ failure }) => failure !== undefined && !failure.retryable,
    step: ({ seen, failure }) => ({ effects: withdraw(seen), requeueAfterMs: untilRetry(seen, failure) }),
  }),
  rule({
    from: AT_ZERO,
    when: 'a minimum or a request, and the budget has not granted the accelerators',
    outcome: '**requests accelerators**; waits in the queue until they are granted',
    applies: ({ seen }) => !seen.granted,
    step: ({ seen, phase }) => ({
      phase: phase.is === 'Stopping' ? phase : { is: 'Waiting' },
      effects: [{ do: 'askBudget', replicas: firstReplicas(seen) }],
      requeueAfterMs: QUEUE_MS,
    }),
  }),
  rule({
    from: ['Stopping'],
    when: 'granted, and previous pods have not been asked to terminate yet',
    outcome: 'waits, because a request must not reach an engine that is about to terminate',
    applies: ({ phase, seen }) => phase.since !== undefined && seen.staying > 0,
    step: () => ({ requeueAfterMs: AT_ONCE_MS }),
  }),
  rule({
    from: AT_ZERO,
    when: 'a minimum or a request, and the accelerators are granted',
    outcome: '**wakes** to the minimum, at least 1 → Starting',
    applies: () => true,
    step: ({ seen }) => ({
      phase: { is: 'Starting', since: seen.now },
      effects: [{ do: 'wake', replicas: firstReplicas(seen), because: wakeCause(seen) ?? 'Demand' }],
    }),
  }),
  rule({
    from: ['Starting', 'Serving'],
    when: '`spec.suspend`',
    outcome: '**drains**: the routers hold new requests → Draining',
    applies: ({ seen }) => seen.suspended,
    step: ({ seen }) => ({ ...drain(seen), effects: [...withdraw(seen), { do: 'updateRoutes' }] }),
  }),
  rule({
    from: ['Starting'],
    when: 'the model may sleep, and the start cannot succeed or has taken longer than `admission.wakeTimeout`',
    outcome: '**fails** → Stopping, with the reason',
    applies: (it) => it.seen.sleeps && it.seen.minReplicas === 0 && startFailure(it) !== undefined,
    step: giveUp,
  }),
  rule({
    from: ['Starting'],
    when: 'no engine is ready yet',
    outcome: 'waits for the first one',
    applies: () => true,
    step: ({ phase, seen }) => ({ requeueAfterMs: untilStartIsOver(phase, seen) }),
  }),
  rule({
    from: ['Serving'],
    when: 'the budget wants its accelerators for another model',
    outcome: '**drains** → Draining',
    applies: ({ seen }) => seen.sleeps && seen.evicted,
    step: ({ seen }) => drain(seen),
  }),
  rule({
    from: ['Serving'],
    when: 'a minimum above 0, or a fixed number',
    outcome: 'keeps serving',
    applies: ({ seen }) => !seen.sleeps || seen.minReplicas > 0,
    step: () => ({}),
  }),
  rule({
    from: ['Serving'],
    when: 'has requests or had one within `idleTimeout`, or a router does not answer',
    outcome: 'keeps serving',
    applies: ({ seen }) => !isIdle(seen),
    step: ({ seen }) => ({ requeueAfterMs: untilIdle(seen) }),
  }),
  rule({
    from: ['Serving'],
    when: 'idle for `idleTimeout`',
    outcome: '**drains** → Draining',
    applies: () => true,
    step: ({ seen }) => drain(seen),
  }),
  rule({
    from: ['Draining'],
    when: '`spec.suspend`, and all routers have confirmed that nothing is in flight, or `drainTimeout` has passed',
    outcome: '**sleeps**: zero replicas → Stopping',
    applies: ({ phase, seen }) =>
      seen.suspended && (isDrained(seen) || seen.now >= phase.since + seen.drainTimeoutMs),
    step: ({ phase }) => sleep(phase, 'Suspended'),
  }),
  rule({
    from: ['Draining'],
    when: 'neither suspended nor evicted, and it has a minimum or was used again',
    outcome: '**resumes**: the routers send requests → Serving or Starting',
    applies: ({ seen }) =>
      !seen.suspended && (!seen.sleeps || (!seen.evicted && (seen.minReplicas > 0 || !wasIdle(seen)))),
    step: resume,
  }),
  rule({
    from: ['Draining'],
    when: 'idle or evicted, and all routers have confirmed that nothing is in flight',
    outcome: '**sleeps**: zero replicas → Stopping',
    applies: ({ seen }) => !seen.suspended && isDrained(seen),
    step: ({ phase, seen }) => sleep(phase, seen.evicted ? 'Evicted' : 'Idle'),
  }),
  rule({
    from: ['Draining'],
    when: 'requests in flight, or a router that has not confirmed',
    outcome: 'waits for them',
    applies: () => true,
    step: () => ({ requeueAfterMs: POLL_MS }),
  }),
];

/**
 * The next phase of the model and the effects. Every case has exactly one rule, and the result depends on the arguments
 * only.
 * @param lifecycle result of the previous call, or `UNKNOWN_LIFECYCLE`
 */
export function transition(lifecycle: Lifecycle, seen: Observation): Transition {
  const phase = settle(lifecycle.phase, seen);
  const failure = stillFailing(lifecycle.failure, seen);
  const it: Case = { phase, failure, seen };
  const found = RULES.find((rule) => rule.from.includes(phase.is) && rule.applies(it));
  if (!found) throw new Error(`no rule for a model that is ${phase.is}`);
  const step = found.step(it);
  const next = { phase: step.phase ?? phase, failure: step.failure ?? failure };
  const news: Effect[] = failure === lifecycle.failure ? [] : [{ do: 'updateRoutes' }];
  return {
    // The same object if nothing has changed, so that readers can compare by identity.
    lifecycle: next.phase === lifecycle.phase && next.failure === lifecycle.failure ? lifecycle : next,
    effects: [...news, ...(step.effects ?? [])],
    ...(step.requeueAfterMs !== undefined && { requeueAfterMs: step.requeueAfterMs }),
    awake: isAwake(next.phase, phase, seen),
  };
}

function isAwake(next: Phase, { is }: Phase, { suspended, sleeps }: Observation): boolean {
  if (suspended || next.is !== is) return false;
  return is === 'Serving' || is === 'Starting' || (!sleeps && is !== 'Draining');
}

/** A failed wake counts until a wake succeeds or the engines have another spec. */
function stillFailing(failure: WakeFailure | undefined, seen: Observation): WakeFailure | undefined {
  if (!failure || seen.ready > 0 || failure.generation !== seen.generation) return undefined;
  return failure.retryable || seen.now < failure.retryAt ? failure : { ...failure, retryable: true };
}

function giveUp(it: Case<Extract<Phase, { is: 'Starting' }>>): Step {
  const { seen, failure: last } = it;
  const attempts = (last?.attempts ?? 0) + 1;
  const backoff = Math.min(WAKE_BACKOFF_MS * 2 ** (attempts - 1), MAX_WAKE_BACKOFF_MS);
  const cause = startFailure(it) ?? { reason: 'WakeTimeout' as const, message: '' };
  const failure: WakeFailure = {
    ...cause,
    attempts,
    retryAt: seen.now + backoff,
    retryable: false,
    generation: seen.generation,
  };
  return {
    phase: { is: 'Stopping' },
    failure,
    effects: [
      { do: 'reportFailure', failure },
      { do: 'sleep', because: 'Failed' },
    ],
    requeueAfterMs: backoff,
  };
}

/** Why the present start fails: a problem that a user has to fix, or a start that takes longer than clients wait. */
function startFailure({
  phase,
  seen,
}: Case<Extract<Phase, { is: 'Starting' }>>): Pick<WakeFailure, 'reason' | 'message'> | undefined {
  const { problem, now, wakeTimeoutMs } = seen;
  if (!problem?.needsUser && now < phase.since + wakeTimeoutMs) return undefined;
  if (problem) return { reason: problem.reason, message: problem.message };
  return {
    reason: 'WakeTimeout',
    message: `no engine became ready within ${wakeTimeoutMs / 1_000} s (admission.wakeTimeout); raise it if the model needs longer`,
  };
}

function untilStartIsOver(
  phase: Extract<Phase, { is: 'Starting' }>,
  { now, sleeps, minReplicas, wakeTimeoutMs, demand }: Observation,
): number | undefined {
  if (!sleeps) return undefined;
  if (minReplicas === 0 && !demand.known) return UNKNOWN_DEMAND_MS;
  const left = phase.since + wakeTimeoutMs - now;
  return left > 0 ? left : undefined;
}

function drain({ now }: Observation): Step {
  return {
    phase: { is: 'Draining', since: now },
    effects: [{ do: 'updateRoutes' }],
    requeueAfterMs: POLL_MS,
  };
}

function resume({ seen }: Case): Step {
  return {
    phase: seen.ready > 0 ? { is: 'Serving' } : { is: 'Starting', since: seen.now },
    effects: [{ do: 'updateRoutes' }],
    requeueAfterMs: seen.sleeps && seen.minReplicas === 0 ? seen.idleTimeoutMs : AT_ONCE_MS,
  };
}

function sleep({ since }: Extract<Phase, { is: 'Draining' }>, because: SleepCause): Step {
  return { phase: { is: 'Stopping', since }, effects: [{ do: 'sleep', because }, { do: 'updateRoutes' }] };
}

function withdraw({ waiting }: Observation): Effect[] {
  return waiting ? [{ do: 'withdrawFromBudget' }] : [];
}

function wakeCause({ minReplicas, demand }: Observation): WakeCause | undefined {
  if (minReplicas > 0) return 'Minimum';
  return demand.held > 0 || demand.queued > 0 ? 'Demand' : undefined;
}

function firstReplicas({ minReplicas }: Observation): number {
  return Math.max(1, minReplicas);
}

function untilRetry({ now }: Observation, failure: WakeFailure | undefined): number | undefined {
  return failure && !failure.retryable ? failure.retryAt - now : undefined;
}

function isWanted({ inFlight, held, queued }: Demand): boolean {
  return inFlight > 0 || held > 0 || queued > 0;
}

/** Whether no request was seen for a whole timeout, as far as is known. */
function wasIdle({ demand, now, idleTimeoutMs }: Observation): boolean {
  return !isWanted(demand) && now - demand.lastUsed >= idleTimeoutMs;
}

function isIdle(seen: Observation): boolean {
  return seen.demand.known && wasIdle(seen);
}

/** No watch reports the end of the last request. The model cannot be idle before a whole timeout from now. */
function untilIdle({ demand, now, idleTimeoutMs }: Observation): number {
  if (!demand.known) return UNKNOWN_DEMAND_MS;
  return isWanted(demand) ? idleTimeoutMs : demand.lastUsed + idleTimeoutMs - now;
}

function isDrained({ demand, heldBack }: Observation): boolean {
  return demand.known && heldBack && demand.inFlight === 0;
}
