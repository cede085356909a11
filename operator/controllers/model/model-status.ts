/** Computes the status of an InferenceModel from what a reconcile found. Pure, and without values that change on their own. */
import { modelConditions, type ReasonWithStatus } from '../../api/condition-set.ts';
import type { MODEL_CONDITIONS } from '../../api/conditions.ts';
import type { InferenceModelStatus } from '../../api/inference-model.ts';
import type { AdviceStatus, UsageStatus } from '../../api/status.ts';
import type { InferenceModel } from '../../api/types.ts';
import type { ConditionUpdate } from '../../kube/conditions.ts';
import { setConditions } from '../../kube/conditions.ts';
import { type DegradationTier, describeTier } from '../../model/degradation-tiers.ts';
import type { MemoryPlan } from '../../model/memory-plan.ts';
import { type Phase, STATE_OF, type WakeFailure } from '../../scaling/phase.ts';
import { decimalText } from '../../values/decimal-text.ts';
import type { EngineHealth } from './engine-health.ts';
import { observedPhase } from './observed-phase.ts';

/** What blocked a reconcile before it applied anything. */
export type Blocker = {
  message: string;
  /** False if waiting may help, for example until the pool has been created. */
  needsUser: boolean;
} & (
  | { condition: 'Accepted'; reason: ReasonWithStatus<typeof MODEL_CONDITIONS, 'Accepted', 'False'> }
  | { condition: 'MemoryFit'; reason: 'DoesNotFit' }
  /** Has no condition of its own, so only the Ready condition reports it. */
  | { condition: 'Ready'; reason: 'NameTaken' | 'ApplyRefused' | 'Deleting' }
);

/** What a reconcile knows about a model. Fields after `health` are absent if the model was blocked before they were known. */
export interface ModelView {
  model: InferenceModel;
  now: number;
  health: EngineHealth;
  blocker?: Blocker;
  url?: string;
  selector?: string;
  desiredReplicas?: number;
  plan?: MemoryPlan;
  /** The profile of the engines, and which settings of it apply. */
  profile?: string;
  /** A warning about the spec that does not keep the model from running. */
  warning?: string;
  acceleratorsPerReplica?: number;
  hourlyCost?: string;
  scaling?: ConditionUpdate;
  cache?: ConditionUpdate;
  /** The state of the model's routes; absent until all routers have confirmed it. */
  routeState?: 'listed' | 'served' | undefined;
  /** Whether a router of the pool is ready; absent while the pool is unknown. */
  routersReady?: boolean;
  /** Whether a request wakes the model at zero replicas. */
  wakes?: boolean;
  /** The phase that scaling last recorded. */
  phase?: Phase;
  /** Whether the model has a pending request for accelerators. */
  waiting?: boolean;
  /** Lower bound in force, or the fixed number of replicas. */
  leastReplicas?: number;
  /** Why the last wake failed. Retained until a wake succeeds. */
  wakeFailure?: Pick<WakeFailure, 'reason' | 'message'>;
  queuePosition?: number;
  /** The last cold start that this process observed. */
  coldStart?: NonNullable<InferenceModelStatus['coldStart']>;
  /** The condition WithinBudget; absent if the namespace never had a budget in the pool. */
  budget?: ConditionUpdate;
  /** Absent if this process has not accounted any use of the model yet. */
  usage?: UsageStatus;
  /** Absent if this process has not advised the model yet. */
  advice?: AdviceStatus;
  schedule?: { open: string[]; nextChange?: string };
  /** Tiers of degradation, mildest first, and the number of the active one: 0 for none. */
  degradation?: { active: number; tiers: readonly DegradationTier[] };
}

const { settled, reconciling, stalled, condition, conditionAs } = modelConditions;

/** Builds the whole status. Conditions that did not change keep their transition time. */
export function modelStatus(view: ModelView): InferenceModelStatus {
  const { model, health, blocker } = view;
  const generation = model.metadata.generation ?? 0;
  const previous = model.status ?? {};
  const updates = [
    ...summary(view),
    withTier(available(view), view),
    ...details(view),
    ...(view.budget ? [view.budget] : []),
  ].map((update) => ({ ...update, observedGeneration: generation }));
  const accelerators = health.pods * (view.acceleratorsPerReplica ?? 0);
  const known = blocker ? previous : undefined;
  return {
    observedGeneration: generation,
    conditions: setConditions(previous.conditions, updates, { now: view.now, order: modelConditions.order }),
    state: STATE_OF[phaseOf(view).is],
    replicas: health.pods,
    readyReplicas: health.ready,
    desiredReplicas: view.desiredReplicas ?? known?.desiredReplicas ?? health.desired,
    ...optional('selector', view.selector ?? known?.selector),
    ...optional('url', view.url),
    accelerators: view.acceleratorsPerReplica === undefined ? (known?.accelerators ?? 0) : accelerators,
    ...optional('hourlyCost', view.hourlyCost && cost(view.hourlyCost, accelerators)),
    ...optional('queuePosition', view.queuePosition),
    ...optional('schedule', view.schedule),
    ...optional('degradationTier', view.degradation?.active || undefined),
    ...optional('usage', view.usage ?? previous.usage),
    ...optional('advice', atLeastOne(view.advice ?? previous.advice)),
    ...optional('plan', view.plan ? planStatus(view.plan) : known?.plan),
    ...optional('coldStart', view.coldStart ?? previous.coldStart),
  };
}

function phaseOf({ model, health, phase = { is: 'Idle' }, waiting = false, now }: ModelView): Phase {
  return observedPhase(phase, { model, health, waiting, now });
}

function summary(view: ModelView): ConditionUpdate[] {
  const { model, health, blocker, wakeFailure, queuePosition } = view;
  if (blocker) {
    const { reason, message, needsUser } = blocker;
    return needsUser ? stalled(reason, message) : reconciling('False', reason, message);
  }
  if (model.spec.suspend) return settled('Suspended', 'suspended by spec.suspend; set it to false to serve');
  if (view.budget?.reason === 'BudgetExhausted') return stalled('BudgetExhausted', view.budget.message);
  if (health.desired === 0 && wakeFailure) return stalled(wakeFailure.reason, wakeFailureText(wakeFailure));
  if (health.desired === 0 && queuePosition !== undefined) {
    return reconciling(
      mustRun(view) ? 'False' : 'True',
      'WaitingForAccelerators',
      `waiting for accelerators of the pool; position ${queuePosition} in the queue`,
    );
  }
  if (health.desired === 0 && mustRun(view)) return reconciling('False', 'EnginesStarting', TOO_FEW);
  if (health.desired === 0 && view.routeState === undefined)
    return reconciling('False', 'RoutesPending', ROUTES_PENDING);
  if (health.desired === 0)
    return settled('Idle', view.wakes ? 'asleep; the next request wakes it' : NO_REPLICAS);
  const { problem } = health;
  if (problem && health.ready === 0) {
    return problem.needsUser
      ? stalled(problem.reason, problem.message)
      : reconciling('False', problem.reason, problem.message);
  }
  if (health.ready === 0)
    return reconciling('False', 'EnginesStarting', 'waiting for the first engine to become ready');
  if (health.rolling) {
    if (!problem) return reconciling('False', 'RolloutInProgress', ROLLING);
    const { reason, needsUser } = problem;
    const message = `${problem.message}. ${reason === 'Unschedulable' ? NO_ROOM : OLD_ONES_SERVE}`;
    return needsUser ? stalled(reason, message) : reconciling('False', reason, message);
  }
  if (view.routeState !== 'served') return reconciling('False', 'RoutesPending', ROUTES_PENDING);
  if (problem) return reconciling('True', 'Degraded', `${problem.reason}: ${problem.message}`);
  if (health.ready < health.desired)
    return reconciling('True', 'ScalingUp', 'some engines are not ready yet');
  return settled('EnginesReady', 'all engines are ready');
}

/** Holds for a moment after the model was created or woken, and for longer only if something else scales the Deployment. */
const TOO_FEW = 'the Deployment has 0 replicas, and spec.scaling asks for more';
/** For a fixed number of zero replicas, which no request changes. */
export const NO_REPLICAS =
  'spec.scaling.replicas is 0, so requests do not wake the model; raise it, or set minReplicas: 0 and maxReplicas instead to wake on requests';
const NO_ROUTER = 'no router of the pool is ready; see the conditions of the pool';
const OLD_ONES_SERVE = 'The previous engines keep serving';
const NO_ROOM =
  'The previous engines keep serving and hold accelerators. If there is still no room after 10 minutes, one of them is stopped to make room; if the pool sets spec.capacity.accelerators, this happens at once';
const ROLLING = 'engines are being replaced; the previous ones keep serving';
const ROUTES_PENDING = 'waiting for the routers of the pool to start and to load the route of this model';

function mustRun({ leastReplicas = 0 }: ModelView): boolean {
  return leastReplicas > 0;
}

function withTier(condition: ConditionUpdate, { degradation }: ModelView): ConditionUpdate {
  if (!degradation || degradation.active === 0) return condition;
  const { active, tiers } = degradation;
  const tier = tiers[active - 1];
  const limits = tier ? `: ${describeTier(tier)}` : '';
  return {
    ...condition,
    message: `${condition.message}; degradation tier ${active} of ${tiers.length} is active at a router${limits}`,
  };
}

function available(view: ModelView): ConditionUpdate {
  const { model, health, wakes, wakeFailure, blocker } = view;
  const unreachable = view.routersReady === false;
  if (health.ready > 0 && !unreachable)
    return condition('Available', 'EnginesReady', 'requests are answered');
  if (model.spec.suspend) return condition('Available', 'Suspended', 'suspended by spec.suspend');
  if (view.budget?.reason === 'BudgetExhausted')
    return condition('Available', 'BudgetExhausted', view.budget.message);
  if (blocker && health.ready === 0) return condition('Available', blocker.reason, 'no engine is ready');
  if (unreachable) return condition('Available', 'RoutersNotReady', NO_ROUTER);
  if (wakeFailure) return condition('Available', wakeFailure.reason, wakeFailureText(wakeFailure));
  const { problem } = health;
  if (problem?.needsUser) return condition('Available', problem.reason, problem.message);
  if (wakes && health.desired === 0)
    return condition('Available', 'Idle', 'a request wakes the model and is answered');
  if (wakes) return conditionAs('Available', 'True', 'EnginesStarting', HELD);
  if (health.desired === 0)
    return condition('Available', 'NoReplicas', mustRun(view) ? TOO_FEW : NO_REPLICAS);
  return problem
    ? condition('Available', problem.reason, problem.message)
    : conditionAs('Available', 'False', 'EnginesStarting', 'no engine is ready');
}

const HELD = 'requests wait in the router until the first engine is ready';

/** The pods and their logs are gone by now. */
function wakeFailureText({ reason, message }: Pick<WakeFailure, 'reason' | 'message'>): string {
  const log =
    reason === 'EngineCrashed' || reason === 'WakeTimeout'
      ? '; to read the whole log, set spec.scaling.minReplicas to 1: the engine is then restarted and its pod is kept'
      : '';
  return `the last wake failed: ${message}. The next request retries the wake${log}`;
}

function details({ blocker, plan, profile, warning, scaling, cache }: ModelView): ConditionUpdate[] {
  if (blocker?.condition === 'Accepted') return [condition('Accepted', blocker.reason, blocker.message)];
  const accepted = condition(
    'Accepted',
    'Accepted',
    `the pool accepts this model${profile === undefined ? '' : `. Engine profile: ${profile}`}${warning === undefined ? '' : `. Warning: ${warning}`}`,
  );
  if (blocker?.condition === 'MemoryFit')
    return [accepted, condition('MemoryFit', blocker.reason, blocker.message)];
  const memory = plan
    ? condition('MemoryFit', 'Fits', plan.summary)
    : condition('MemoryFit', 'UnknownModel', UNKNOWN_SHAPE);
  return [accepted, memory, ...(scaling ? [scaling] : []), ...(cache ? [cache] : [])];
}

const UNKNOWN_SHAPE =
  'this model is not in the catalog, so its memory is not planned; set spec.model.facts to plan it';

function planStatus(plan: MemoryPlan): NonNullable<InferenceModelStatus['plan']> {
  return {
    weightsGiB: decimalText(plan.weightsGiB, 1),
    kvCacheGiB: decimalText(plan.kvCacheGiB, 1),
    kvCacheTokens: Math.min(Math.floor(plan.kvCacheTokens), Number.MAX_SAFE_INTEGER),
    sequencesAtFullLength: decimalText(plan.sequencesAtFullLength, 1),
  };
}

/** Cost per hour with two decimals, as a string because the API has no floats. */
function cost(perAccelerator: string, accelerators: number): string {
  return decimalText(Number(perAccelerator) * accelerators, 2);
}

function optional<K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { [P in K]?: V });
}

function atLeastOne(items: AdviceStatus | undefined): AdviceStatus | undefined {
  return items?.length ? items : undefined;
}
