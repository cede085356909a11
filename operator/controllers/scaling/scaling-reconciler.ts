/** Moves the replicas of one model: asks the pure deciders, does what they say through /scale, and remembers. */
import type { Registry } from 'prom-client';
import type { InferenceModel, InferencePool } from '../../api/types.ts';
import type { Clock } from '../../kube/clock.ts';
import type { EventRecorder } from '../../kube/events.ts';
import { type Key, keyOf } from '../../kube/key.ts';
import type { Logger } from '../../kube/logger.ts';
import { drainTimeoutSeconds } from '../../model/drain-timeout.ts';
import { scalingTarget } from '../../model/scaling-target.ts';
import { resolveEngine } from '../../model/settings.ts';
import { isBoundToOneNode } from '../../model/shared-claims.ts';
import { engineName } from '../../render/names.ts';
import type { ColdStartRecorder } from '../../scaling/cold-start-recorder.ts';
import type { DemandTracker } from '../../scaling/demand.ts';
import { decideLifecycle, type LifecycleAction, type LifecycleInput } from '../../scaling/lifecycle.ts';
import { hasNumber, isFixed, numberWithin } from '../../scaling/replicas.ts';
import { type ScalingMetrics, scalingMetrics } from '../../scaling/scaling-metrics.ts';
import { durationSeconds } from '../../values/units.ts';
import type { AcceptanceCache } from '../acceptance/acceptance-cache.ts';
import { type EngineHealth, engineHealth } from '../model/engine-health.ts';
import { type ClusterState, claimModesOf, podsOf, poolKeyOf } from '../shared/cluster-state.ts';
import { type Deployment, isFinished, isReleased, type Pod } from '../shared/workloads.ts';
import { type BoundsKeeper, LONGEST_WAIT_MS } from './bounds-keeper.ts';
import type { BudgetKeeper } from './budget-keeper.ts';
import type { ModeKeeper } from './mode-keeper.ts';
import type { ReplicasWriter } from './replicas-writer.ts';
import { replicasOf, type ScalingMemories, type ScalingMemory } from './scaling-memory.ts';

export interface ScalingReconcilerOptions {
  state: ClusterState;
  acceptance: AcceptanceCache;
  replicas: ReplicasWriter;
  budget: BudgetKeeper;
  demand: DemandTracker;
  memories: ScalingMemories;
  events: EventRecorder;
  clock: Clock;
  modes: ModeKeeper;
  bounds: BoundsKeeper;
  coldStarts: ColdStartRecorder;
  /** What the kubelet says of a pod whose volumes it cannot mount. */
  mountFailure: (pod: Pod) => string | undefined;
  registry?: Registry | undefined;
  /** Since which version of the route table, confirmed by every router, no engine of the model takes new requests. */
  heldBackSince: (poolKey: Key, modelUid: string) => number | undefined;
  /** Something that the route table or the status shows has changed. */
  onChanged: (modelKey: Key, poolKey: Key) => void;
  /** Other models that have to be looked at again. */
  onTouched: (modelKeys: readonly Key[]) => void;
}

interface Scope {
  model: InferenceModel;
  pool: InferencePool;
  poolKey: Key;
  deployment: Deployment;
  pods: readonly Pod[];
  health: EngineHealth;
  memory: ScalingMemory;
  /** `spec.replicas`, our own last write included. */
  replicas: number;
  now: number;
  minReplicas: number;
  maxReplicas: number;
  /** When the bounds change by themselves, in milliseconds from now. */
  boundsChangeMs: number | undefined;
}

interface Context {
  signal: AbortSignal;
  log: Logger;
}

/** Pace of the internal loop, as Knative's tick. */
const TICK_MS = 2_000;
/** Wait after the first failed wake; doubles with each further one. */
const WAKE_BACKOFF_MS = 30_000;
const MAX_WAKE_BACKOFF_MS = 300_000;
/** Wait for what no watch tells: confirmation by the routers, demand of routers that do not answer. */
const POLL_MS = 250;
const AT_ONCE_MS = 20;

/** Waiting makes older, and age can be what it takes. */
const QUEUE_MS = 2_000;

const DEFAULT_IDLE_TIMEOUT = '180s';

export class ScalingReconciler {
  readonly #options: ScalingReconcilerOptions;
  readonly #metrics: ScalingMetrics;

  constructor(options: ScalingReconcilerOptions) {
    this.#options = options;
    this.#metrics = scalingMetrics(options.registry);
  }

  /** Looks at one model. Throws KubeError. */
  async reconcile(key: Key, context: Context): Promise<{ requeueAfterMs?: number } | undefined> {
    const { state, memories } = this.#options;
    const model = state.models.store.get(key);
    if (!model || model.metadata.deletionTimestamp !== undefined) {
      if (model) {
        memories.forget(model.metadata.uid ?? '');
        this.#options.coldStarts.forget(model.metadata.uid ?? '');
      }
      return undefined;
    }
    const scope = this.#scope(model);
    if (!scope) return undefined;
    const { acceptance } = this.#options;
    if (!acceptance.mayRun(scope.pool, model)) {
      // What it has is of another pool, or of a time when its namespace was admitted: others have the room now.
      if (scope.replicas > 0)
        await this.#scaleTo(scope, 0, 'Slept', 'because the pool does not take it', context);
      return undefined;
    }
    if (!acceptance.verdict(scope.pool, model).accepted) return undefined;
    await acceptance.save(scope.pool, model);
    const lookAgain = isFixed(model) ? await this.#fixed(scope, context) : await this.#ranged(scope, context);
    const next = Math.min(
      lookAgain ?? Number.POSITIVE_INFINITY,
      scope.boundsChangeMs ?? Number.POSITIVE_INFINITY,
    );
    return Number.isFinite(next)
      ? { requeueAfterMs: Math.min(Math.max(next, 10), LONGEST_WAIT_MS) }
      : undefined;
  }

  #scope(model: InferenceModel): Scope | undefined {
    const { state, memories, clock } = this.#options;
    const poolKey = poolKeyOf(model);
    const pool = state.pools.store.get(poolKey);
    const namespace = model.metadata.namespace ?? '';
    const deployment = state.deployments.store.get({ namespace, name: engineName(model.metadata.name) });
    // Until ownership of the replicas is handed over, a change here could be undone there.
    if (!pool || !deployment || deployment.replicasOwnedByApply) return undefined;
    const bounds = this.#options.bounds.of(model, clock.now());
    const memory = memories.of(model.metadata.uid ?? '');
    const pods = podsOf(state, { namespace, name: model.metadata.name });
    const replicas = replicasOf(deployment, memory);
    // A replica more could wait for its volume for ever. Those that run are let be.
    const most = isBoundToOneNode(model.spec, claimModesOf(state, namespace))
      ? Math.max(1, replicas)
      : Number.POSITIVE_INFINITY;
    return {
      pods,
      model,
      pool,
      poolKey,
      deployment,
      health: engineHealth(deployment, pods, this.#options.mountFailure),
      memory,
      replicas,
      now: clock.monotonic(),
      minReplicas: Math.min(bounds.minReplicas, most),
      maxReplicas: Math.min(bounds.maxReplicas, most),
      boundsChangeMs: bounds.nextChange === undefined ? undefined : bounds.nextChange - clock.now(),
    };
  }

  async #fixed(scope: Scope, context: Context): Promise<number | undefined> {
    if (scope.model.spec.suspend) return (await this.#live(scope, context)).lookAgain;
    scope.memory.drainingSince = undefined;
    return await this.#toNumber(scope, context);
  }

  /** The number of the spec is written when it changes, and not when somebody else changed the Deployment's. */
  async #toNumber(scope: Scope, context: Context): Promise<number | undefined> {
    const { model, memory, replicas } = scope;
    const wish = numberWithin(model, scope);
    const last = memory.wish ?? model.status?.desiredReplicas;
    if (last === wish) {
      this.#stopWaiting(scope);
      return undefined;
    }
    if (wish > replicas && !this.#granted(scope, wish)) return QUEUE_MS;
    await this.#scaleTo(scope, wish, 'Scaled', `to the ${counted(wish)} of spec.scaling`, context);
    return undefined;
  }

  async #ranged(scope: Scope, context: Context): Promise<number | undefined> {
    const { lookAgain, acted } = await this.#live(scope, context);
    const { replicas: current, model, health, memory } = scope;
    if (acted || current === 0 || memory.drainingSince !== undefined || model.spec.suspend) return lookAgain;
    if (current < scope.minReplicas) {
      if (!this.#granted(scope, scope.minReplicas)) return QUEUE_MS;
      await this.#scaleTo(
        scope,
        scope.minReplicas,
        'Scaled',
        `to the minimum of ${scope.minReplicas}`,
        context,
      );
      return POLL_MS;
    }
    if (hasNumber(model)) {
      const wait = await this.#toNumber(scope, context);
      return Math.min(lookAgain ?? Number.POSITIVE_INFINITY, wait ?? Number.POSITIVE_INFINITY);
    }
    this.#stopWaiting(scope);
    if (this.#options.modes.of(model, scope.pool).mode !== 'Internal' || health.ready === 0) return lookAgain;
    return Math.min(
      lookAgain ?? TICK_MS,
      (await this.#autoscale(scope, current, context)) ?? Number.POSITIVE_INFINITY,
    );
  }

  /** Sleep and wake, from the pure decision to what is done. */
  async #live(
    scope: Scope,
    context: Context,
  ): Promise<{ lookAgain: number | undefined /** What there was to do now is done. */; acted: boolean }> {
    const { memory, health, model, now, replicas } = scope;
    // At zero requests are held until the last pod is gone: it is not known at once that they are all leaving.
    if (replicas === 0 && health.pods === 0) memory.drainingSince = undefined;
    if (replicas === 0 || health.ready > 0) memory.startingSince = undefined;
    else memory.startingSince ??= now;
    // The new spec counts once it is applied: waking with the old one would only fail again.
    const mended =
      memory.failure !== undefined && memory.failedGeneration !== model.status?.observedGeneration;
    if (mended || (health.ready > 0 && memory.failures > 0)) {
      memory.failures = 0;
      memory.failure = undefined;
      this.#options.onChanged(keyOf(model), scope.poolKey);
    }
    if (memory.failure && !memory.failureOver && now >= memory.failure.retryAt) {
      memory.failureOver = true;
      this.#options.onChanged(keyOf(model), scope.poolKey);
    }
    const decision = decideLifecycle(this.#lifecycleInput(scope));
    const lookAgain = await this.#act(scope, decision.action, context);
    const rests = decision.action.do === 'nothing';
    if (decision.action.do !== 'queue' && (replicas === 0 || model.spec.suspend)) this.#stopWaiting(scope);
    if (!rests) return { lookAgain: lookAgain ?? decision.lookAgainMs, acted: true };
    if (memory.drainingSince !== undefined && replicas > 0) return { lookAgain: POLL_MS, acted: false };
    if (!this.#demand(scope).known && scope.minReplicas === 0 && replicas > 0)
      return { lookAgain: 1_000, acted: false };
    const startLeft = memory.startingSince === undefined ? 0 : this.#startDeadline(scope) - now;
    return { lookAgain: decision.lookAgainMs ?? (startLeft > 0 ? startLeft : undefined), acted: false };
  }

  #lifecycleInput(scope: Scope): LifecycleInput {
    const { model, pool, memory, now, health, replicas, minReplicas } = scope;
    const idleTimeout = model.spec.scaling?.idleTimeout ?? DEFAULT_IDLE_TIMEOUT;
    const demand = this.#demand(scope);
    const isBackingOff = memory.failure !== undefined && now < memory.failure.retryAt;
    const asks =
      replicas === 0 &&
      !model.spec.suspend &&
      !isBackingOff &&
      (minReplicas > 0 || demand.held > 0 || demand.queued > 0);
    return {
      now,
      suspended: model.spec.suspend,
      minReplicas,
      idleTimeoutMs: durationSeconds(idleTimeout) * 1_000,
      drainTimeoutMs: drainTimeoutSeconds(model.spec.engine, pool.spec.engine) * 1_000,
      replicas,
      pods: health.pods,
      ready: health.ready,
      demand,
      drain:
        memory.drainingSince === undefined
          ? undefined
          : {
              since: memory.drainingSince,
              confirmed: this.#isHeldBack(scope),
            },
      startFailure: this.#startFailure(scope),
      failure: memory.failure,
      granted: asks ? this.#granted(scope, Math.max(1, minReplicas)) : true,
      evicted: memory.evictedFor !== undefined,
    };
  }

  /** Whether the routers' reports of demand are from after they began to hold requests: before, some may have passed. */
  #isHeldBack({ poolKey, model }: Scope): boolean {
    const { heldBackSince, demand } = this.#options;
    return demand.confirmed(poolKey, heldBackSince(poolKey, model.metadata.uid ?? ''));
  }

  #demand({ poolKey, model }: Scope) {
    return this.#options.demand.of(poolKey, model.metadata.uid ?? '');
  }

  /** Why the start under way will not end in service: what a user must mend, or more time than clients wait. */
  #startFailure(scope: Scope): { reason: string; message: string } | undefined {
    const { problem } = scope.health;
    if (problem?.needsUser) return { reason: problem.reason, message: problem.lastingMessage };
    if (scope.now < this.#startDeadline(scope)) return undefined;
    return problem
      ? { reason: problem.reason, message: problem.lastingMessage }
      : {
          reason: 'WakeTimeout',
          message: `no engine became ready within ${wakeTimeoutOf(scope)} (admission.wakeTimeout); raise it if the model needs longer`,
        };
  }

  /** When a start that has not ended in service by then is given up. */
  #startDeadline(scope: Scope): number {
    return (scope.memory.startingSince ?? scope.now) + durationSeconds(wakeTimeoutOf(scope)) * 1_000;
  }

  async #act(scope: Scope, action: LifecycleAction, context: Context): Promise<number | undefined> {
    const { memory, now, model, poolKey } = scope;
    const key = keyOf(model);
    switch (action.do) {
      case 'nothing':
        return undefined;
      case 'queue':
        return QUEUE_MS;
      case 'wake': {
        // Nothing may be sent to the pods of before, which are on their way out once they are seen to be deleted.
        if (memory.drainingSince !== undefined && scope.pods.some(isStaying)) return AT_ONCE_MS;
        const text = action.reason === 'Demand' ? 'for a held request' : 'for its minimum';
        memory.drainingSince = undefined;
        await this.#scaleTo(
          scope,
          action.replicas,
          'Woken',
          `${text}, to ${counted(action.replicas)}`,
          context,
        );
        return undefined;
      }
      case 'drain':
        memory.drainingSince = now;
        this.#options.onChanged(key, poolKey);
        return POLL_MS;
      case 'undrain':
        memory.drainingSince = undefined;
        this.#options.onChanged(key, poolKey);
        return undefined;
      case 'sleep':
        await this.#scaleTo(scope, 0, 'Slept', this.#sleepText(scope, action.reason), context);
        this.#options.onChanged(key, poolKey);
        this.#arbitrate(scope);
        return undefined;
      case 'giveUp': {
        const backoff = Math.min(WAKE_BACKOFF_MS * 2 ** memory.failures, MAX_WAKE_BACKOFF_MS);
        memory.failures += 1;
        this.#options.coldStarts.gaveUp(model.metadata.uid ?? '');
        memory.failedGeneration = model.status?.observedGeneration;
        memory.failure = {
          reason: action.reason,
          message: action.message,
          since: now,
          retryAt: now + backoff,
        };
        memory.failureOver = false;
        this.#metrics.failed(action.reason);
        this.#options.events.emit(model, {
          type: 'Warning',
          reason: 'WakeFailed',
          action: 'Wake',
          note: `${action.reason}: ${action.message}; next try in ${backoff / 1_000} s`,
        });
        await this.#scaleTo(scope, 0, 'Slept', 'after a wake that failed', context);
        return backoff;
      }
    }
  }

  #sleepText({ model, memory, poolKey }: Scope, reason: 'Idle' | 'Suspended' | 'Evicted'): string {
    if (reason === 'Suspended') return 'because spec.suspend is true';
    if (reason === 'Idle')
      return `after ${model.spec.scaling?.idleTimeout ?? DEFAULT_IDLE_TIMEOUT} without a request`;
    const waiter = this.#options.state.models.store
      .byIndex('byPool', poolKey)
      .find(({ metadata }) => metadata.uid === memory.evictedFor);
    return `to make room for ${waiter ? keyOf(waiter) : 'another model'}`;
  }

  async #autoscale(scope: Scope, current: number, context: Context): Promise<number | undefined> {
    const { budget } = this.#options;
    const { memory, now, health, model, pool, poolKey, minReplicas, maxReplicas } = scope;
    const demand = this.#demand(scope);
    const load = demand.inFlight + demand.queued + demand.held;
    if (demand.known) memory.autoscaler.record(now, load);
    const decision = memory.autoscaler.decide(now, health.ready, current, {
      target: scalingTarget(model, resolveEngine(pool, model)),
      minReplicas: Math.max(1, minReplicas),
      maxReplicas,
      scaleUp: model.spec.scaling?.behavior?.scaleUp,
      scaleDown: model.spec.scaling?.behavior?.scaleDown,
      neededElsewhere: pool.spec.capacity.overcommit && budget.waiting(poolKey).length > 0,
    });
    this.#metrics.decided(decision.reason);
    let replicas = decision.replicas;
    if (replicas > current) replicas = Math.min(replicas, current + budget.room(pool, model, now));
    if (replicas !== current)
      await this.#scaleTo(
        scope,
        replicas,
        'Scaled',
        `from ${current} to ${replicas}: ${decision.message}`,
        context,
      );
    // At rest at the minimum there is nothing to do until requests come, and those are told at once.
    return replicas === Math.max(1, minReplicas) && load === 0 && decision.reason === 'Hold'
      ? undefined
      : TICK_MS;
  }

  /** Whether the budget grants so many replicas in all; if not, the model waits in the queue from now on. */
  #granted(scope: Scope, replicas: number): boolean {
    const { pool, memory, now, model } = scope;
    if (!this.#options.budget.applies(pool)) return true;
    memory.waiting = { since: memory.waiting?.since ?? now, replicas };
    return this.#arbitrate(scope).has(model.metadata.uid ?? '');
  }

  #stopWaiting(scope: Scope): void {
    if (!scope.memory.waiting) return;
    scope.memory.waiting = undefined;
    this.#arbitrate(scope);
  }

  #arbitrate({ pool, now }: Scope): ReadonlySet<string> {
    const { budget, events, onTouched } = this.#options;
    if (!budget.applies(pool)) return new Set();
    const { granted, touched, evictions } = budget.decide(pool, now);
    this.#metrics.evicted(evictions.length);
    for (const { victim, waiter } of evictions) {
      const note = `${keyOf(victim)} goes to sleep to make room for ${keyOf(waiter)}`;
      events.emit(victim, { type: 'Normal', reason: 'Evicted', action: 'Arbitrate', note, related: waiter });
      events.emit(waiter, {
        type: 'Normal',
        reason: 'MakingRoom',
        action: 'Arbitrate',
        note,
        related: victim,
      });
    }
    onTouched(touched);
    return granted;
  }

  async #scaleTo(
    scope: Scope,
    replicas: number,
    reason: 'Scaled' | 'Woken' | 'Slept',
    note: string,
    { signal, log }: Context,
  ): Promise<void> {
    const { deployment, memory, model, poolKey, replicas: from } = scope;
    const { events, onChanged } = this.#options;
    memory.wish = replicas;
    memory.waiting = undefined;
    memory.queuePosition = undefined;
    if (from !== replicas) {
      // Counts for the budget from now on: others are decided on while this write is under way.
      memory.pending = replicas;
      try {
        const resourceVersion = await this.#options.replicas.scale(deployment, replicas, signal);
        memory.written = { replicas, resourceVersion };
      } finally {
        memory.pending = undefined;
      }
      if (from === 0) this.#options.coldStarts.scaled(model.metadata.uid ?? '');
      this.#metrics.changed(reason);
      log.info({ from, to: replicas, reason }, 'scaled');
      events.emit(model, {
        type: 'Normal',
        reason,
        action: 'Scale',
        note: `${reason === 'Scaled' ? 'scaled' : reason.toLowerCase()} ${note}`,
      });
    }
    onChanged(keyOf(model), poolKey);
  }
}

function counted(replicas: number): string {
  return replicas === 1 ? '1 replica' : `${replicas} replicas`;
}

function isStaying(pod: Pod): boolean {
  return pod.metadata.deletionTimestamp === undefined && !isFinished(pod) && !isReleased(pod);
}

function wakeTimeoutOf({ model, pool }: Pick<Scope, 'model' | 'pool'>): string {
  return model.spec.admission?.wakeTimeout ?? pool.spec.admission.wakeTimeout;
}
