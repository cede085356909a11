/** Puts the state of a pool before the budget's arbitration, and remembers what it decided. */
import type { InferenceModel, InferencePool } from '../../api/types.ts';
import { type Key, keyOf } from '../../kube/key.ts';
import { mostReplicas } from '../../model/replica-bounds.ts';
import { arbitrate, type BudgetInput, type BudgetModel, roomFor } from '../../scaling/budget.ts';
import type { DemandTracker } from '../../scaling/demand.ts';
import { isFixed } from '../../scaling/replicas.ts';
import { resolveAccelerator } from '../../vllm/accelerators.ts';
import type { AcceptanceCache } from '../acceptance/acceptance-cache.ts';
import { ModelWorkloads } from '../model/model-workloads.ts';
import type { ClusterState } from '../shared/cluster-state.ts';
import { holdsAccelerators, isReleased, type Pod } from '../shared/workloads.ts';
import { replicasOf, type ScalingMemories, type ScalingMemory } from './scaling-memory.ts';

export interface BudgetKeeperOptions {
  state: ClusterState;
  acceptance: AcceptanceCache;
  memories: ScalingMemories;
  demand: DemandTracker;
  /** Lower bound in force of a model, schedules included. */
  minReplicas: (model: InferenceModel) => number;
}

/** Models whose place changed, to be looked at again, and who has to go for whom. */
export interface Arbitration {
  /** Keys of models that were granted, evicted or moved in the queue. */
  touched: string[];
  /** New evictions, as model and the model that it makes room for. */
  evictions: { victim: InferenceModel; waiter: InferenceModel }[];
}

export class BudgetKeeper {
  readonly #options: BudgetKeeperOptions;
  readonly #workloads: ModelWorkloads;

  constructor(options: BudgetKeeperOptions) {
    this.#options = options;
    this.#workloads = new ModelWorkloads(options.state);
  }

  /** Whether the pool has a budget at all. */
  applies(pool: InferencePool): boolean {
    return (
      pool.spec.capacity.accelerators !== undefined || (pool.spec.capacity.namespaceQuotas ?? []).length > 0
    );
  }

  /** Keys of the models of a pool that wait for accelerators. */
  waiting(poolKey: Key): Key[] {
    const { state, memories } = this.#options;
    const pool = state.pools.store.get(poolKey);
    if (!pool || !this.applies(pool)) return [];
    return state.models.store
      .byIndex('byPool', poolKey)
      .filter(({ metadata }) => memories.isWaiting(metadata.uid ?? ''))
      .map(keyOf);
  }

  /** Replicas that the model may have beside those that it has, without end where there is no budget; none while somebody waits for the pool. */
  room(pool: InferencePool, model: InferenceModel, now: number): number {
    if (!this.applies(pool)) return Number.POSITIVE_INFINITY;
    const { count } = resolveAccelerator(pool.spec.accelerator);
    return Math.max(0, Math.floor(roomFor(model.metadata.namespace ?? '', this.#input(pool, now)) / count));
  }

  /**
   * Decides anew for the whole pool and stores it in the memories: who may wake (queuePosition absent), who waits and
   * where, and who goes to sleep for whom.
   */
  decide(pool: InferencePool, now: number): Arbitration & { granted: ReadonlySet<string> } {
    const { memories, state } = this.#options;
    const candidates = state.models.store.byIndex('byPool', keyOf(pool));
    const byUid = new Map(candidates.map((model) => [model.metadata.uid ?? '', model]));
    const decision = arbitrate(this.#input(pool, now));
    const positions = new Map(decision.queue.map(({ uid, position }) => [uid, position]));
    const evictedFor = new Map(decision.evict.map((eviction) => [eviction.uid, eviction.for]));
    const result: Arbitration = { touched: [], evictions: [] };
    for (const [uid, model] of byUid) {
      const memory = memories.peek(uid);
      const position = positions.get(uid);
      const waiter = this.#stillEvicted(model, memory?.evictedFor, positions) ?? evictedFor.get(uid);
      if (memory?.queuePosition === position && memory?.evictedFor === waiter) continue;
      const changed = memories.of(uid);
      if (waiter !== undefined && changed.evictedFor === undefined) {
        const forWhom = byUid.get(waiter);
        if (forWhom) result.evictions.push({ victim: model, waiter: forWhom });
      }
      changed.queuePosition = position;
      changed.evictedFor = waiter;
      result.touched.push(keyOf(model));
    }
    return { ...result, granted: new Set(decision.granted) };
  }

  /** An eviction holds for as long as that model waits and the victim has not gone. */
  #stillEvicted(
    victim: InferenceModel,
    waiter: string | undefined,
    positions: ReadonlyMap<string, number>,
  ): string | undefined {
    if (waiter === undefined || !positions.has(waiter)) return undefined;
    return this.#replicas(victim) > 0 ? waiter : undefined;
  }

  /** What the model was last given. */
  #replicas(model: InferenceModel): number {
    const { deployment } = this.#workloads.of(model);
    return deployment ? replicasOf(deployment, this.#options.memories.peek(model.metadata.uid ?? '')) : 0;
  }

  #input(pool: InferencePool, now: number): BudgetInput {
    const { accelerators = Number.POSITIVE_INFINITY, namespaceQuotas = [] } = pool.spec.capacity;
    return { now, accelerators, namespaceQuotas, models: this.#models(pool, now) };
  }

  #models(pool: InferencePool, now: number): BudgetModel[] {
    const { state, acceptance, memories, demand, minReplicas } = this.#options;
    const key = keyOf(pool);
    const { count, resourceName } = resolveAccelerator(pool.spec.accelerator);
    // One that has nothing and asks for nothing changes nothing.
    const present = state.models.store.byIndex('byPool', key).flatMap((model): BudgetModel | [] => {
      const uid = model.metadata.uid ?? '';
      const namespace = model.metadata.namespace ?? '';
      const memory = memories.peek(uid);
      const { pods, health } = this.#workloads.of(model);
      const given = Math.max(this.#replicas(model), memory?.pending ?? 0);
      const holding = pods.filter((pod) => holdsAccelerators(pod, resourceName));
      const ending = holding.filter((pod) => isEnding(pod, memory)).length;
      const most = mostReplicas(model.spec.scaling);
      const replicas = ending + Math.max(holding.length - ending, Math.min(given, most));
      const { waiting } = memory ?? {};
      if (replicas === 0 && waiting === undefined) return [];
      const wanted = demand.of(key, uid);
      const waits = waiting !== undefined && acceptance.verdict(pool, model).accepted;
      return {
        uid,
        namespace,
        priority: model.spec.priority,
        held: replicas * count,
        wants: waits ? Math.max(0, waiting.replicas - given) * count : 0,
        waitingSince: waiting?.since ?? now,
        inUse: !wanted.known || wanted.inFlight > 0 || wanted.queued > 0 || wanted.held > 0,
        lastUsed: wanted.lastUsed,
        mayGiveUp: minReplicas(model) === 0 && health.ready > 0 && !isFixed(model),
        leaving:
          memory?.evictedFor !== undefined ||
          memory?.drainingSince !== undefined ||
          (given === 0 && health.pods > 0),
      };
    });
    return [...present, ...this.#gone(pool, count)];
  }

  /** Engines of models that are gone, or have moved to another pool: they hold their accelerators until they end. */
  #gone(pool: InferencePool, count: number): BudgetModel[] {
    return this.#options.acceptance.leaving(pool).map(({ key, replicas }) => ({
      uid: key,
      namespace: key.slice(0, key.indexOf('/')),
      priority: 0,
      held: replicas * count,
      wants: 0,
      waitingSince: 0,
      inUse: true,
      lastUsed: 0,
      mayGiveUp: false,
      leaving: true,
    }));
  }
}

/** Whether the pod holds accelerators beside those of the replicas that are asked for. */
function isEnding(pod: Pod, memory: ScalingMemory | undefined): boolean {
  if (pod.metadata.deletionTimestamp !== undefined) return true;
  return isReleased(pod) || memory?.releasing?.has(pod.metadata.uid ?? '') === true;
}
