/**
 * Moves one model through its lifecycle: observes it, applies the pure transition, stores the result and executes the
 * effects.
 */

import type { Registry } from 'prom-client';
import type { InferenceModel } from '../../api/types.ts';
import type { Clock } from '../../kube/clock.ts';
import type { EventRecorder } from '../../kube/events.ts';
import { type Key, keyOf } from '../../kube/key.ts';
import type { ObjectMeta } from '../../kube/object.ts';
import { isOwnedBy } from '../../kube/owner-reference.ts';
import { PerObject } from '../../kube/per-object.ts';
import { poolKeyOf } from '../../model/pool-key.ts';
import { isBoundToOneNode } from '../../model/shared-claims.ts';
import { engineKeyOf } from '../../render/names.ts';
import type { ColdStartRecorder } from '../../scaling/cold-start-recorder.ts';
import type { DemandTracker } from '../../scaling/demand.ts';
import { isHeldBack, type WakeFailure } from '../../scaling/phase.ts';
import { type ScalingMetrics, scalingMetrics } from '../../scaling/scaling-metrics.ts';
import { type Effect, type Observation, type SleepCause, transition } from '../../scaling/transitions.ts';
import type { AcceptanceCache } from '../acceptance/acceptance-cache.ts';
import { engineHealth } from '../model/engine-health.ts';
import { type ClusterState, claimModesOf, podsOf } from '../shared/cluster-state.ts';
import { earliest } from '../shared/requeue-after.ts';
import type { Resolutions } from '../shared/resolutions.ts';
import { isFinished, isReleased, type Pod } from '../shared/workloads.ts';
import type { NamespaceBudgets } from '../usage/namespace-budgets.ts';
import type { AcceleratorBudget } from './accelerator-budget.ts';
import { type BoundsCache, LONGEST_WAIT_MS } from './bounds-cache.ts';
import type { Lifecycles } from './lifecycles.ts';
import { counted, ReplicaChanges } from './replica-changes.ts';
import { ReplicaSizing } from './replica-sizing.ts';
import type { ReplicasWriter } from './replicas-writer.ts';
import type { ScalingModes } from './scaling-modes.ts';
import type { ScalingContext, ScalingScope } from './scaling-scope.ts';

export interface ScalingReconcilerOptions {
  state: ClusterState;
  resolutions: Resolutions;
  acceptance: AcceptanceCache;
  lifecycles: Lifecycles;
  replicas: ReplicasWriter;
  budget: AcceleratorBudget;
  budgets: Pick<NamespaceBudgets, 'stops'>;
  demand: DemandTracker;
  events: EventRecorder;
  clock: Clock;
  modes: ScalingModes;
  bounds: BoundsCache;
  coldStarts: ColdStartRecorder;
  /** Why the volumes of a pod cannot be mounted, if known. */
  mountFailure: (pod: Pod) => string | undefined;
  registry?: Registry | undefined;
  /** First route table version, confirmed by all routers, in which no engine of the model gets new requests. */
  heldBackSince: (poolKey: Key, modelUid: string) => number | undefined;
  /** Called when something that the route table or the status shows has changed. */
  onChanged: (modelKey: Key, poolKey: Key) => void;
  /** Called with the keys of other models that have to be reconciled. */
  onTouched: (modelKeys: readonly Key[]) => void;
}

/** Shortest delay before a model is reconciled again. */
const SHORTEST_WAIT_MS = 10;

export class ScalingReconciler {
  readonly #options: ScalingReconcilerOptions;
  readonly #metrics: ScalingMetrics;
  readonly #changes: ReplicaChanges;
  readonly #sizing: ReplicaSizing;
  /** Models whose deletion leaves their engines. The finalizer that tells is removed before the model. */
  readonly #orphaning: PerObject<true>;

  constructor(options: ScalingReconcilerOptions) {
    this.#options = options;
    this.#metrics = scalingMetrics(options.registry);
    this.#changes = new ReplicaChanges({ ...options, metrics: this.#metrics });
    this.#sizing = new ReplicaSizing({
      ...options,
      changes: this.#changes,
      metrics: this.#metrics,
      models: options.state.models.store,
    });
    const { store } = options.state.models;
    this.#orphaning = new PerObject(store);
    store.subscribe(({ new: now }) => {
      if (now && isOrphaning(now.metadata)) this.#orphaning.set(now.metadata.uid, true);
    });
  }

  /** Reconciles the scaling of one model. Throws KubeError. */
  async reconcile(key: Key, context: ScalingContext): Promise<{ requeueAfterMs?: number } | undefined> {
    const { state, acceptance } = this.#options;
    const model = state.models.store.get(key);
    const scope = model && this.#scope(model);
    if (!scope) return undefined;
    const end = this.#whyItEnds(scope);
    if (end !== undefined) {
      this.#changes.stopWaiting(scope);
      if (scope.replicas > 0) await this.#changes.to(scope, 0, 'Slept', end, context);
      return undefined;
    }
    const { accepted } = acceptance.verdict(scope.pool, scope.model);
    if (!accepted && !this.#makesRoom(scope)) return undefined;
    await acceptance.save(scope.pool, scope.model, context.signal);
    const wait = await this.#live(scope, accepted, context);
    const next = earliest(wait, scope.boundsChangeMs);
    return next === undefined
      ? undefined
      : { requeueAfterMs: Math.min(Math.max(next, SHORTEST_WAIT_MS), LONGEST_WAIT_MS) };
  }

  /** Why the model may have no engines any more, whose accelerators others get then. */
  #whyItEnds({ pool, model }: ScalingScope): string | undefined {
    // A finalizer may keep it for ever, and with it the engines, which no router serves.
    if (model.metadata.deletionTimestamp !== undefined) return 'because it is being deleted';
    // Its replicas were granted in another pool or before its namespace lost access.
    return this.#options.acceptance.mayRun(pool, model) ? undefined : 'because the pool does not accept it';
  }

  /** Whether a model runs that others wait for. It has to go also while its present spec is refused, of which no more is started. */
  #makesRoom({ uid, replicas }: ScalingScope): boolean {
    const { budget, lifecycles } = this.#options;
    return replicas > 0 && (budget.evictedFor(uid) !== undefined || isHeldBack(lifecycles.of(uid).phase));
  }

  #scope(model: InferenceModel): ScalingScope | undefined {
    const { state, resolutions, bounds, clock, demand, replicas, mountFailure } = this.#options;
    const { namespace = '', name, uid = '' } = model.metadata;
    const poolKey = poolKeyOf(model);
    const pool = state.pools.store.get(poolKey);
    const deployment = state.deployments.store.get(engineKeyOf(model));
    // Until ownership of the replicas is handed over, the apply could undo a change made here.
    if (!pool || !deployment || deployment.replicasOwnedByApply) return undefined;
    if (deployment.metadata.deletionTimestamp !== undefined) return undefined;
    // Deletion with --cascade=orphan leaves the engines as they are, until a model of the same name adopts them.
    if (!isOwnedBy(deployment, uid) || this.#orphaning.has(uid)) return undefined;
    const resolution = resolutions.of(pool, model);
    const inForce = bounds.of(resolution.scaling, clock.now());
    const pods = podsOf(state, { namespace, name });
    const current = replicas.of(uid, deployment);
    // Another replica could wait forever for a volume that is bound to one node. Existing replicas are kept.
    const most = isBoundToOneNode(model.spec, claimModesOf(state, namespace))
      ? Math.max(1, current)
      : Number.POSITIVE_INFINITY;
    return {
      pods,
      model,
      uid,
      pool,
      resolution,
      poolKey,
      deployment,
      health: engineHealth(deployment, pods, mountFailure),
      demand: demand.of(poolKey, uid),
      replicas: current,
      now: clock.monotonic(),
      minReplicas: Math.min(inForce.minReplicas, most),
      maxReplicas: Math.min(inForce.maxReplicas, most),
      boundsChangeMs: inForce.nextChange === undefined ? undefined : inForce.nextChange - clock.now(),
    };
  }

  /** Makes one transition, and a second one if the first requested accelerators and got them. */
  async #live(scope: ScalingScope, accepted: boolean, context: ScalingContext): Promise<number | undefined> {
    const { lifecycles } = this.#options;
    const seen = this.#observe(scope);
    let step = transition(lifecycles.of(scope.uid), seen);
    const effects = [...step.effects];
    const asked = effects.find((effect) => effect.do === 'askBudget');
    if (asked && this.#changes.granted(scope, asked.replicas)) {
      step = transition(step.lifecycle, { ...seen, granted: true });
      effects.push(...step.effects);
    }
    lifecycles.set(scope.uid, step.lifecycle);
    for (const effect of effects) await this.#do(scope, effect, context);
    if (!step.awake || !accepted) return step.requeueAfterMs;
    return earliest(step.requeueAfterMs, await this.#sizing.size(scope, context));
  }

  #observe(scope: ScalingScope): Observation {
    const { budget, budgets, demand, heldBackSince } = this.#options;
    const { model, uid, poolKey, health, pods, resolution } = scope;
    const { scaling, drainTimeoutMs, wakeTimeoutMs } = resolution;
    const { problem } = health;
    return {
      now: scope.now,
      suspended: model.spec.suspend || budgets.stops(scope.pool, model),
      sleeps: scaling.kind !== 'Fixed',
      minReplicas: scope.minReplicas,
      idleTimeoutMs: scaling.kind === 'Fixed' ? Number.POSITIVE_INFINITY : scaling.idleTimeoutMs,
      drainTimeoutMs,
      wakeTimeoutMs,
      replicas: scope.replicas,
      pods: health.pods,
      ready: health.ready,
      staying: pods.filter(isStaying).length,
      waiting: budget.isWaiting(uid),
      demand: scope.demand,
      heldBack: demand.confirmed(poolKey, heldBackSince(poolKey, uid)),
      problem: problem && {
        reason: problem.reason,
        message: problem.lastingMessage,
        needsUser: problem.needsUser,
      },
      granted: false,
      evicted: budget.evictedFor(uid) !== undefined,
      generation: model.status?.observedGeneration,
    };
  }

  async #do(scope: ScalingScope, effect: Effect, context: ScalingContext): Promise<void> {
    const { pool, poolKey, now, model } = scope;
    switch (effect.do) {
      case 'askBudget':
        return;
      case 'withdrawFromBudget':
        this.#changes.stopWaiting(scope);
        return;
      case 'updateRoutes':
        this.#options.onChanged(keyOf(model), poolKey);
        return;
      case 'wake': {
        const { replicas, because } = effect;
        const cause = because === 'Demand' ? 'for a waiting request' : 'for its minimum';
        await this.#changes.to(scope, replicas, 'Woken', `${cause}, to ${counted(replicas)}`, context);
        return;
      }
      case 'sleep':
        await this.#changes.to(scope, 0, 'Slept', this.#sleepText(scope, effect.because), context);
        this.#changes.arbitrate(pool, now);
        return;
      case 'reportFailure':
        this.#reportFailure(scope, effect.failure);
    }
  }

  #reportFailure({ model, uid, now }: ScalingScope, { reason, message, retryAt }: WakeFailure): void {
    this.#options.coldStarts.gaveUp(uid);
    this.#metrics.failed(reason);
    this.#options.events.emit(model, {
      type: 'Warning',
      reason: 'WakeFailed',
      action: 'Wake',
      note: `${reason}: ${message}; next attempt in ${(retryAt - now) / 1_000} s`,
    });
  }

  #sleepText(scope: ScalingScope, because: SleepCause): string {
    const { state, budget } = this.#options;
    switch (because) {
      case 'Suspended':
        return scope.model.spec.suspend
          ? 'because spec.suspend is true'
          : 'because the budget of the namespace is used up';
      case 'Failed':
        return 'after a failed wake';
      case 'Idle':
        return `after ${idleTimeoutOf(scope)} without a request`;
      case 'Evicted': {
        const [waiter] = state.models.store.byIndex('byUid', budget.evictedFor(scope.uid) ?? '');
        return `to make room for ${waiter ? keyOf(waiter) : 'another model'}`;
      }
    }
  }
}

/** Whoever may edit the model can set the finalizer, which says nothing before the deletion. */
function isOrphaning({ deletionTimestamp, finalizers = [] }: ObjectMeta): boolean {
  return deletionTimestamp !== undefined && finalizers.includes('orphan');
}

function idleTimeoutOf({ resolution: { scaling } }: ScalingScope): string {
  return scaling.kind === 'Fixed' ? '0s' : scaling.idleTimeout;
}

/** Whether the pod has not been asked to terminate. */
function isStaying(pod: Pod): boolean {
  return pod.metadata.deletionTimestamp === undefined && !isFinished(pod) && !isReleased(pod);
}
