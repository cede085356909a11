/**
 * Sleep and wake of one model, as a table of rules: from where it is and what is seen to where it is next and what is done.
 * Between 1 and N somebody else decides; this decides 0, 1 and not. docs/reference/transitions.md is generated from these rules.
 */
import type { Demand } from './demand.ts';
import {
  type Life,
  type Phase,
  type PhaseName,
  type Sighting,
  settle,
  type WakeFailure,
  type WakeFailureReason,
} from './phase.ts';

/** All that a transition depends on. Times are monotonic milliseconds. */
export interface Observation extends Sighting {
  /** Whether sleep and wake are the operator's to decide: not for a fixed number of replicas. */
  sleeps: boolean;
  /** Lower bound in force now, schedules included. 0 allows sleep. */
  minReplicas: number;
  idleTimeoutMs: number;
  drainTimeoutMs: number;
  wakeTimeoutMs: number;
  /** Pods that nobody has told to end yet. */
  staying: number;
  demand: Demand;
  /** Every router has confirmed a table that holds the model's requests back. */
  heldBack: boolean;
  /** What keeps engines from becoming ready. `needsUser`: waiting does not change it. */
  problem?: { reason: WakeFailureReason; message: string; needsUser: boolean } | undefined;
  /** The budget has answered that the first replicas may start. */
  granted: boolean;
  /** The budget wants the accelerators of this model for another. */
  evicted: boolean;
  /** `status.observedGeneration`: which spec the engines have. */
  generation: number | undefined;
}

export type SleepCause = 'Idle' | 'Suspended' | 'Evicted' | 'Failed';
export type WakeCause = 'Demand' | 'Minimum';

/** What the reconciler does, in this order, once the new life is stored. */
export type Effect =
  /** Ask the budget for so many replicas in all. If it grants them, `transition` is called again. */
  | { do: 'askBudget'; replicas: number }
  | { do: 'withdrawFromBudget' }
  /** The route table says something else now. */
  | { do: 'updateRoutes' }
  | { do: 'wake'; replicas: number; because: WakeCause }
  | { do: 'sleep'; because: SleepCause }
  | { do: 'reportFailure'; failure: WakeFailure };

export interface Transition {
  life: Life;
  effects: readonly Effect[];
  /** When to look again although nothing changes, in milliseconds from now. */
  lookAgainMs?: number;
  /** Neither asleep nor on its way there or back: what is between 1 and N may be decided. */
  awake: boolean;
}

/** Wait for what no watch tells: routers that confirm, requests that end. */
const POLL_MS = 250;
/** Wait for the watch to bring the deletion of the pods of before. */
const AT_ONCE_MS = 20;
/** Wait for accelerators: priority grows with the time waited, so look again. */
export const QUEUE_MS = 2_000;
/** Wait for routers that do not answer. */
const UNKNOWN_DEMAND_MS = 1_000;
/** Wait after the first failed wake; doubles with each further one. */
const WAKE_BACKOFF_MS = 30_000;
const MAX_WAKE_BACKOFF_MS = 300_000;

/** The case that a rule looks at. */
interface Case<P extends Phase = Phase> {
  phase: P;
  failure: WakeFailure | undefined;
  seen: Observation;
}

/** What a rule leads to; what is left out stays as it is. */
interface Step {
  phase?: Phase;
  failure?: WakeFailure;
  effects?: readonly Effect[];
  lookAgainMs?: number | undefined;
}

interface Rule<N extends PhaseName = PhaseName> {
  from: readonly N[];
  /** In words, for the table in the documentation. */
  when: string;
  outcome: string;
  applies: (it: Case<Extract<Phase, { is: N }>>) => boolean;
  step: (it: Case<Extract<Phase, { is: N }>>) => Step;
}

function rule<N extends PhaseName>(rule: Rule<N>): Rule {
  return rule as unknown as Rule;
}

const AT_ZERO = ['Idle', 'Waiting', 'Stopping', 'Suspended'] as const;

/** The first rule of a phase that applies is followed. */
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
    outcome: 'stays at zero, and waits for accelerators no longer',
    applies: ({ seen }) => seen.suspended || wakeCause(seen) === undefined,
    step: ({ seen, failure, phase }) => ({
      phase: phase.is === 'Waiting' ? { is: 'Idle' } : phase,
      effects: withdraw(seen),
      lookAgainMs: untilRetry(seen, failure),
    }),
  }),
  rule({
    from: AT_ZERO,
    when: 'a minimum or a request, and the last wake failed a short while ago',
    outcome: 'stays at zero until the next try is due; requests get 503 with the reason',
    applies: ({ failure }) => failure !== undefined && !failure.retryable,
    step: ({ seen, failure }) => ({ effects: withdraw(seen), lookAgainMs: untilRetry(seen, failure) }),
  }),
  rule({
    from: AT_ZERO,
    when: 'a minimum or a request, and the budget has not granted the accelerators',
    outcome: '**asks the budget**; not granted: waits in the queue',
    applies: ({ seen }) => !seen.granted,
    step: ({ seen, phase }) => ({
      phase: phase.is === 'Stopping' ? phase : { is: 'Waiting' },
      effects: [{ do: 'askBudget', replicas: firstReplicas(seen) }],
      lookAgainMs: QUEUE_MS,
    }),
  }),
  rule({
    from: ['Stopping'],
    when: 'granted, and pods of before are not told to end yet',
    outcome: 'waits: a request must not reach an engine that is on its way out',
    applies: ({ phase, seen }) => phase.since !== undefined && seen.staying > 0,
    step: () => ({ lookAgainMs: AT_ONCE_MS }),
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
    when: 'the model may sleep, and the start cannot end well, or has taken longer than `admission.wakeTimeout`',
    outcome: '**gives up** → Stopping, with the reason',
    applies: (it) => it.seen.sleeps && it.seen.minReplicas === 0 && startFailure(it) !== undefined,
    step: giveUp,
  }),
  rule({
    from: ['Starting'],
    when: 'no engine is ready yet',
    outcome: 'waits for the first one',
    applies: () => true,
    step: ({ phase, seen }) => ({ lookAgainMs: untilStartIsOver(phase, seen) }),
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
    outcome: 'serves on',
    applies: ({ seen }) => !seen.sleeps || seen.minReplicas > 0,
    step: () => ({}),
  }),
  rule({
    from: ['Serving'],
    when: 'requests, or routers that do not answer, or used within `idleTimeout`',
    outcome: 'serves on',
    applies: ({ seen }) => !isIdle(seen),
    step: ({ seen }) => ({ lookAgainMs: untilIdle(seen) }),
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
    when: '`spec.suspend`, and nothing is in flight as every router has confirmed, or `drainTimeout` has passed',
    outcome: '**sleeps**: zero replicas → Stopping',
    applies: ({ phase, seen }) =>
      seen.suspended && (isDrained(seen) || seen.now >= phase.since + seen.drainTimeoutMs),
    step: ({ phase }) => sleep(phase, 'Suspended'),
  }),
  rule({
    from: ['Draining'],
    when: 'not suspended or evicted, and it must run or was used again',
    outcome: '**resumes**: the routers send requests → Serving or Starting',
    applies: ({ seen }) =>
      !seen.suspended && (!seen.sleeps || (!seen.evicted && (seen.minReplicas > 0 || !wasIdle(seen)))),
    step: resume,
  }),
  rule({
    from: ['Draining'],
    when: 'idle or evicted, and nothing is in flight as every router has confirmed',
    outcome: '**sleeps**: zero replicas → Stopping',
    applies: ({ seen }) => !seen.suspended && isDrained(seen),
    step: ({ phase, seen }) => sleep(phase, seen.evicted ? 'Evicted' : 'Idle'),
  }),
  rule({
    from: ['Draining'],
    when: 'requests in flight, or routers that have not confirmed',
    outcome: 'waits for them',
    applies: () => true,
    step: () => ({ lookAgainMs: POLL_MS }),
  }),
];

/**
 * Where the model is next, and what is done about it. Total: every case has a rule, and the same case has the same one.
 * @param life as stored by the call before, or `UNKNOWN_LIFE`
 */
export function transition(life: Life, seen: Observation): Transition {
  const phase = settle(life.phase, seen);
  const failure = stillFailing(life.failure, seen);
  const it: Case = { phase, failure, seen };
  const found = RULES.find((rule) => rule.from.includes(phase.is) && rule.applies(it));
  if (!found) throw new Error(`no rule for a model that is ${phase.is}`);
  const step = found.step(it);
  const next = { phase: step.phase ?? phase, failure: step.failure ?? failure };
  const news: Effect[] = failure === life.failure ? [] : [{ do: 'updateRoutes' }];
  return {
    // The same object while nothing changes: who has read it needs not look again.
    life: next.phase === life.phase && next.failure === life.failure ? life : next,
    effects: [...news, ...(step.effects ?? [])],
    ...(step.lookAgainMs !== undefined && { lookAgainMs: step.lookAgainMs }),
    awake: isAwake(next.phase, phase, seen),
  };
}

function isAwake(next: Phase, { is }: Phase, { suspended, sleeps }: Observation): boolean {
  if (suspended || next.is !== is) return false;
  return is === 'Serving' || is === 'Starting' || (!sleeps && is !== 'Draining');
}

/** A wake that failed counts until one ends in service or the engines have another spec. */
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
    lookAgainMs: backoff,
  };
}

/** Why the start under way will not end in service: what a user must mend, or more time than clients wait. */
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
  return { phase: { is: 'Draining', since: now }, effects: [{ do: 'updateRoutes' }], lookAgainMs: POLL_MS };
}

function resume({ seen }: Case): Step {
  return {
    phase: seen.ready > 0 ? { is: 'Serving' } : { is: 'Starting', since: seen.now },
    effects: [{ do: 'updateRoutes' }],
    lookAgainMs: seen.sleeps && seen.minReplicas === 0 ? seen.idleTimeoutMs : AT_ONCE_MS,
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

/** Nobody has wanted it for a whole timeout, as far as is known. */
function wasIdle({ demand, now, idleTimeoutMs }: Observation): boolean {
  return !isWanted(demand) && now - demand.lastUsed >= idleTimeoutMs;
}

function isIdle(seen: Observation): boolean {
  return seen.demand.known && wasIdle(seen);
}

/** Nothing tells when the last request ends; before a whole timeout from now the model cannot have been idle for one. */
function untilIdle({ demand, now, idleTimeoutMs }: Observation): number {
  if (!demand.known) return UNKNOWN_DEMAND_MS;
  return isWanted(demand) ? idleTimeoutMs : demand.lastUsed + idleTimeoutMs - now;
}

function isDrained({ demand, heldBack }: Observation): boolean {
  return demand.known && heldBack && demand.inFlight === 0;
}
