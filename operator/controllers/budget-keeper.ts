/** Puts the state of a pool before the budget's arbitration, and remembers what it decided. */
import type { InferenceModel, InferencePool } from '../api/types.ts';
import { resolveAccelerator } from '../engine/accelerators.ts';
import { keyOf } from '../kube/key.ts';
import { engineName } from '../render/names.ts';
import { arbitrate, type BudgetModel } from '../scaling/budget.ts';
import type { DemandTracker } from '../scaling/demand.ts';
import type { AcceptanceCache } from './acceptance-cache.ts';
import type { ClusterState } from './cluster-state.ts';
import { engineHealth } from './engine-health.ts';
import type { ScalingMemories } from './scaling-memory.ts';

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

  constructor(options: BudgetKeeperOptions) {
    this.#options = options;
  }

  /** Whether the pool has a budget at all. */
  applies(pool: InferencePool): boolean {
    return (
      pool.spec.capacity.accelerators !== undefined || (pool.spec.capacity.namespaceQuotas ?? []).length > 0
    );
  }

  /** Accelerators that nobody holds or waits for; infinite without a budget, none while somebody waits. */
  room(pool: InferencePool, now: number): number {
    const { accelerators } = pool.spec.capacity;
    if (accelerators === undefined) return Number.POSITIVE_INFINITY;
    const models = this.#models(pool, now);
    if (models.some(({ wants }) => wants > 0)) return 0;
    return accelerators - models.reduce((sum, { held }) => sum + held, 0);
  }

  /**
   * Decides anew for the whole pool and stores it in the memories: who may wake (queuePosition absent), who waits and
   * where, and who goes to sleep for whom.
   */
  decide(pool: InferencePool, now: number): Arbitration & { granted: ReadonlySet<string> } {
    const { memories, state } = this.#options;
    const candidates = state.models.store.byIndex('byPool', keyOf(pool));
    const byUid = new Map(candidates.map((model) => [model.metadata.uid ?? '', model]));
    const decision = arbitrate({
      now,
      accelerators: pool.spec.capacity.accelerators ?? Number.POSITIVE_INFINITY,
      namespaceQuotas: pool.spec.capacity.namespaceQuotas ?? [],
      models: this.#models(pool, now),
    });
    const positions = new Map(decision.queue.map(({ uid, position }) => [uid, position]));
    const evictedFor = new Map(decision.evict.map((eviction) => [eviction.uid, eviction.for]));
    const result: Arbitration = { touched: [], evictions: [] };
    for (const [uid, model] of byUid) {
      const memory = memories.peek(uid);
      const position = positions.get(uid);
      const waiter = this.#stillEvicted(uid, memory?.evictedFor, positions) ?? evictedFor.get(uid);
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

  /** An eviction holds for as long as somebody waits and the victim has not gone. */
  #stillEvicted(
    uid: string,
    waiter: string | undefined,
    positions: ReadonlyMap<string, number>,
  ): string | undefined {
    if (waiter === undefined || !positions.has(waiter)) return undefined;
    return this.#options.memories.peek(uid)?.drainingSince === undefined ? undefined : waiter;
  }

  #models(pool: InferencePool, now: number): BudgetModel[] {
    const { state, acceptance, memories, demand, minReplicas } = this.#options;
    const key = keyOf(pool);
    const { count } = resolveAccelerator(pool.spec.accelerator);
    return state.models.store.byIndex('byPool', key).map((model): BudgetModel => {
      const uid = model.metadata.uid ?? '';
      const namespace = model.metadata.namespace ?? '';
      const memory = memories.peek(uid);
      const deployment = state.deployments.store.get({ namespace, name: engineName(model.metadata.name) });
      const health = engineHealth(deployment, state.pods.store.byIndex('byModel', keyOf(model)));
      const reserved = memory?.reserved && memory.reserved.until > now ? memory.reserved.replicas : 0;
      const replicas = Math.max(health.pods, health.desired, reserved);
      const wanted = demand.of(key, uid);
      const waits = memory?.waitingSince !== undefined && acceptance.verdict(pool, model).accepted;
      return {
        uid,
        namespace,
        priority: model.spec.priority,
        held: replicas * count,
        wants: waits ? Math.max(1, minReplicas(model)) * count : 0,
        waitingSince: memory?.waitingSince ?? now,
        inUse: !wanted.known || wanted.inFlight > 0 || wanted.queued > 0 || wanted.held > 0,
        lastUsed: wanted.lastUsed,
        mayGiveUp: minReplicas(model) === 0 && health.ready > 0 && model.spec.scaling?.replicas === undefined,
        leaving:
          memory?.evictedFor !== undefined ||
          memory?.drainingSince !== undefined ||
          (health.desired === 0 && health.pods > 0),
      };
    });
  }
}
