/** The status of an InferenceModel from what a reconcile found. Pure, and free of anything that changes by itself. */
import type { InferenceModelStatus } from '../../api/inference-model.ts';
import type { InferenceModel } from '../../api/types.ts';
import type { ConditionUpdate } from '../../kube/conditions.ts';
import { setConditions } from '../../kube/conditions.ts';
import type { MemoryPlan } from '../../model/memory-plan.ts';
import { type Phase, STATE_OF, settle } from '../../scaling/phase.ts';
import type { EngineHealth } from './engine-health.ts';

/** What stopped a reconcile before anything was applied. */
export interface Blocker {
  /** The condition that says it in detail; `Ready` when only the summary does. */
  condition: 'Accepted' | 'MemoryFit' | 'Ready';
  reason: string;
  message: string;
  /** False while waiting may help, such as for a pool that is applied a moment later. */
  needsUser: boolean;
}

/** What a reconcile knows of a model. Fields after `health` are absent when it was blocked before them. */
export interface ModelView {
  model: InferenceModel;
  now: number;
  health: EngineHealth;
  blocker?: Blocker;
  url?: string;
  selector?: string;
  desiredReplicas?: number;
  plan?: MemoryPlan;
  acceleratorsPerReplica?: number;
  hourlyCost?: string;
  scaling?: { status: 'True' | 'False'; reason: string; message: string };
  cache?: { status: 'True' | 'False'; reason: string; message: string };
  /** How far the routers know the model: absent while not all of them do. */
  reach?: 'listed' | 'served' | undefined;
  /** A router of the pool is ready; absent while the pool is not known. */
  routersReady?: boolean;
  /** At zero replicas, a request wakes the model. */
  wakes?: boolean;
  /** Where it is in its life, as far as that is remembered. */
  phase?: Phase;
  /** It has asked the budget for accelerators. */
  waiting?: boolean;
  /** Lower bound in force, or the fixed number. */
  leastReplicas?: number;
  /** The last wake did not end in service; kept until one does. */
  wakeFailure?: { reason: string; message: string };
  queuePosition?: number;
  /** The last cold start that this process saw. */
  coldStart?: NonNullable<InferenceModelStatus['coldStart']>;
  schedule?: { open: string[]; nextChange?: string };
}

const ORDER = [
  'Ready',
  'Available',
  'Accepted',
  'MemoryFit',
  'ScalingReady',
  'CacheReady',
  'Reconciling',
  'Stalled',
];

/** Builds the whole status; times of conditions that did not change are kept. */
export function modelStatus(view: ModelView): InferenceModelStatus {
  const { model, health, blocker } = view;
  const generation = model.metadata.generation ?? 0;
  const previous = model.status ?? {};
  const updates = [...summary(view), available(view), ...details(view)].map((update) => ({
    ...update,
    observedGeneration: generation,
  }));
  const accelerators = health.pods * (view.acceleratorsPerReplica ?? 0);
  const known = blocker ? previous : undefined;
  return {
    observedGeneration: generation,
    conditions: setConditions(previous.conditions, updates, { now: view.now, order: ORDER }),
    state: STATE_OF[phaseOf(view).is],
    replicas: health.pods,
    readyReplicas: health.ready,
    desiredReplicas: view.desiredReplicas ?? known?.desiredReplicas ?? health.desired,
    ...optional('selector', view.selector ?? known?.selector),
    ...optional('url', view.url ?? known?.url),
    accelerators: view.acceleratorsPerReplica === undefined ? (known?.accelerators ?? 0) : accelerators,
    ...optional('hourlyCost', view.hourlyCost && cost(view.hourlyCost, accelerators)),
    ...optional('queuePosition', view.queuePosition),
    ...optional('schedule', view.schedule),
    ...optional('plan', view.plan ? planStatus(view.plan) : known?.plan),
    ...optional('coldStart', view.coldStart ?? previous.coldStart),
  };
}

function phaseOf({ model, health, phase = { is: 'Idle' }, waiting = false, now }: ModelView): Phase {
  const { desired: replicas, pods, ready } = health;
  return settle(phase, { now, suspended: model.spec.suspend, replicas, pods, ready, waiting });
}

function summary(view: ModelView): ConditionUpdate[] {
  const { model, health, blocker, wakeFailure, queuePosition } = view;
  if (blocker) {
    const { reason, message, needsUser } = blocker;
    return needsUser ? stalled(reason, message) : reconciling('False', reason, message);
  }
  if (model.spec.suspend) return settled('Suspended', 'suspended by spec.suspend; set it to false to serve');
  if (health.desired === 0 && wakeFailure) return stalled(wakeFailure.reason, wakeFailureText(wakeFailure));
  if (health.desired === 0 && queuePosition !== undefined) {
    return reconciling(
      mustRun(view) ? 'False' : 'True',
      'WaitingForAccelerators',
      `waits for accelerators of the pool, place ${queuePosition} in the queue`,
    );
  }
  if (health.desired === 0 && mustRun(view)) return reconciling('False', 'EnginesStarting', TOO_FEW);
  if (health.desired === 0 && view.reach === undefined)
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
  if (view.reach !== 'served') return reconciling('False', 'RoutesPending', ROUTES_PENDING);
  if (problem) return reconciling('True', problem.reason, problem.message);
  if (health.ready < health.desired)
    return reconciling('True', 'ScalingUp', 'some engines are not ready yet');
  return settled('EnginesReady', 'all engines are ready');
}

/** A moment after it was made or woken; for longer only where someone else scaled it. */
const TOO_FEW = 'the Deployment has 0 replicas, and spec.scaling asks for more';
/** Of a number that is fixed at zero, so that nothing wakes the model. */
export const NO_REPLICAS =
  'spec.scaling.replicas is 0, and no request changes that; raise it, or set minReplicas: 0 and maxReplicas instead to wake on requests';
const NO_ROUTER = 'no router of the pool is ready; the conditions of the pool say why';
const OLD_ONES_SERVE = 'The engines of before go on serving';
const NO_ROOM =
  'The engines of before go on serving, and hold accelerators. One of them is given up for the new one when accelerators were lacking for 10 minutes; with spec.capacity.accelerators in the pool that is done at once';
const ROLLING = 'engines are being replaced; those of before go on serving';
const ROUTES_PENDING = 'waiting for the routers of the pool to start and to learn of it';

function mustRun({ leastReplicas = 0 }: ModelView): boolean {
  return leastReplicas > 0;
}

function available(view: ModelView): ConditionUpdate {
  const { model, health, wakes, wakeFailure, blocker } = view;
  const no = (reason: string, message: string): ConditionUpdate => ({
    type: 'Available',
    status: 'False',
    reason,
    message,
  });
  const unreachable = view.routersReady === false;
  if (health.ready > 0 && !unreachable)
    return { type: 'Available', status: 'True', reason: 'EnginesReady', message: 'requests are answered' };
  if (model.spec.suspend) return no('Suspended', 'suspended by spec.suspend');
  if (blocker && health.ready === 0) return no(blocker.reason, 'no engine is ready');
  if (unreachable) return no('RoutersNotReady', NO_ROUTER);
  if (wakeFailure) return no(wakeFailure.reason, wakeFailureText(wakeFailure));
  if (health.problem?.needsUser) return no(health.problem.reason, health.problem.message);
  if (wakes) {
    const asleep = health.desired === 0;
    return {
      type: 'Available',
      status: 'True',
      reason: asleep ? 'Idle' : 'EnginesStarting',
      message: asleep
        ? 'a request wakes the model and is answered'
        : 'requests are held until the first engine is ready',
    };
  }
  if (health.desired === 0) return no('NoReplicas', mustRun(view) ? TOO_FEW : NO_REPLICAS);
  return no(health.problem?.reason ?? 'EnginesStarting', health.problem?.message ?? 'no engine is ready');
}

/** The pods are gone by now, and their logs with them. */
function wakeFailureText({ reason, message }: { reason: string; message: string }): string {
  const log =
    reason === 'EngineCrashed' || reason === 'WakeTimeout'
      ? '; to read the whole log, set scaling.minReplicas to 1 for a while: then the engine is started again and again, and its pod stays'
      : '';
  return `the last wake failed: ${message}. The next request tries again${log}`;
}

function details({ blocker, plan, scaling, cache }: ModelView): ConditionUpdate[] {
  const updates: ConditionUpdate[] = [];
  if (blocker?.condition === 'Accepted') {
    updates.push({ type: 'Accepted', status: 'False', reason: blocker.reason, message: blocker.message });
    return updates;
  }
  updates.push({
    type: 'Accepted',
    status: 'True',
    reason: 'Accepted',
    message: 'the pool takes this model',
  });
  if (blocker?.condition === 'MemoryFit') {
    updates.push({ type: 'MemoryFit', status: 'False', reason: blocker.reason, message: blocker.message });
    return updates;
  }
  updates.push(
    plan
      ? { type: 'MemoryFit', status: 'True', reason: 'Fits', message: plan.summary }
      : {
          type: 'MemoryFit',
          status: 'Unknown',
          reason: 'UnknownModel',
          message:
            'the shape of this model is not in the catalog: describe it in spec.model.facts to have its memory planned',
        },
  );
  if (scaling) updates.push({ type: 'ScalingReady', ...scaling });
  if (cache) updates.push({ type: 'CacheReady', ...cache });
  return updates;
}

function settled(reason: string, message: string): ConditionUpdate[] {
  return [
    { type: 'Ready', status: 'True', reason, message },
    { type: 'Reconciling', status: 'False', reason, message: '' },
    { type: 'Stalled', status: 'False', reason, message: '' },
  ];
}

function reconciling(ready: 'True' | 'False', reason: string, message: string): ConditionUpdate[] {
  return [
    { type: 'Ready', status: ready, reason, message },
    { type: 'Reconciling', status: 'True', reason, message },
    { type: 'Stalled', status: 'False', reason, message: '' },
  ];
}

function stalled(reason: string, message: string): ConditionUpdate[] {
  return [
    { type: 'Ready', status: 'False', reason, message },
    { type: 'Reconciling', status: 'False', reason, message: '' },
    { type: 'Stalled', status: 'True', reason, message },
  ];
}

function planStatus(plan: MemoryPlan): NonNullable<InferenceModelStatus['plan']> {
  return {
    weightsGiB: plan.weightsGiB.toFixed(1),
    kvCacheGiB: plan.kvCacheGiB.toFixed(1),
    kvCacheTokens: Math.floor(plan.kvCacheTokens),
    sequencesAtFullLength: plan.sequencesAtFullLength.toFixed(1),
  };
}

/** Cost of an hour, to the cent, without a float in the API. */
function cost(perAccelerator: string, accelerators: number): string {
  return (Number(perAccelerator) * accelerators).toFixed(2);
}

function optional<K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { [P in K]?: V });
}
