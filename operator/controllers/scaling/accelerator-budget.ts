/** Owns who asks for accelerators, who waits where, and who goes for whom: lets the arbitration decide for a pool, and holds its answer. */
import type { InferenceModel, InferencePool } from '../../api/types.ts';
import { type Key, keyOf } from '../../kube/key.ts';
import { PerObject } from '../../kube/per-object.ts';
import { mostReplicas } from '../../model/replica-counts.ts';
import type { ResolvedScaling } from '../../model/resolved-scaling.ts';
import { arbitrate, type BudgetInput, type BudgetModel, roomFor } from '../../scaling/budget.ts';
import type { DemandTracker } from '../../scaling/demand.ts';
import { isHeldBack } from '../../scaling/phase.ts';
import type { AcceptanceCache } from '../acceptance/acceptance-cache.ts';
import { ModelWorkloads } from '../model/model-workloads.ts';
import type { ClusterState } from '../shared/cluster-state.ts';
import type { DeparturesView } from '../shared/departures.ts';
import type { Resolutions } from '../shared/resolutions.ts';
import { holdsAccelerators, isReleased } from '../shared/workloads.ts';
import type { LivesView } from './lives.ts';
import type { ReplicasView } from './replicas-writer.ts';

export interface AcceleratorBudgetOptions {
  state: ClusterState;
  resolutions: Resolutions;
  acceptance: AcceptanceCache;
  lives: LivesView;
  replicas: ReplicasView;
  departures: DeparturesView;
  demand: DemandTracker;
  /** Lower bound in force, schedules included. */
  minReplicas: (scaling: ResolvedScaling) => number;
}

/** Models whose place changed, to be looked at again, and who has to go for whom. */
export interface Arbitration {
  /** Keys of models that were granted, evicted or moved in the queue. */
  touched: string[];
  /** New evictions, as model and the model that it makes room for. */
  evictions: { victim: InferenceModel; waiter: InferenceModel }[];
}

export interface Answer extends Arbitration {
  granted: boolean;
}

/** Times are monotonic milliseconds. */
interface BudgetRequest {
  since: number;
  /** In all. */
  replicas: number;
}

const GRANTED: Answer = { granted: true, touched: [], evictions: [] };

export class AcceleratorBudget {
  readonly #options: AcceleratorBudgetOptions;
  readonly #workloads: ModelWorkloads;
  /** Of models, as the two that follow. */
  readonly #requests: PerObject<BudgetRequest>;
  /** Place in the queue; 1 is next. */
  readonly #places: PerObject<number>;
  /** UID of the waiting model for which this one is to go to sleep. */
  readonly #evictedFor: PerObject<string>;

  constructor(options: AcceleratorBudgetOptions) {
    this.#options = options;
    this.#workloads = new ModelWorkloads(options.state);
    const models = options.state.models.store;
    this.#requests = new PerObject(models);
    this.#places = new PerObject(models);
    this.#evictedFor = new PerObject(models);
  }

  /** Whether the model has asked for accelerators that it has not taken. */
  isWaiting(uid: string): boolean {
    return this.#requests.has(uid);
  }

  /** Place in the queue, from 1; absent while the model does not wait. */
  placeOf(uid: string): number | undefined {
    return this.#places.get(uid);
  }

  /** UID of the waiting model for which this one is to go to sleep. */
  evictedFor(uid: string): string | undefined {
    return this.#evictedFor.get(uid);
  }

  /** Asks for so many replicas in all. Who is not granted them waits from its first request on. */
  ask(
    pool: InferencePool,
    { metadata: { uid = '' } }: InferenceModel,
    replicas: number,
    now: number,
  ): Answer {
    if (!this.applies(pool)) return GRANTED;
    this.#requests.set(uid, { since: this.#requests.get(uid)?.since ?? now, replicas });
    const { granted, ...arbitration } = this.decide(pool, now);
    return { granted: granted.has(uid), ...arbitration };
  }

  /** Takes a request back, or settles it: what was asked for is taken. */
  withdraw({ metadata: { uid = '' } }: InferenceModel): void {
    this.#requests.delete(uid);
    this.#places.delete(uid);
  }

  /** Whether the pool has a budget at all. */
  applies(pool: InferencePool): boolean {
    return (
      pool.spec.capacity.accelerators !== undefined || (pool.spec.capacity.namespaceQuotas ?? []).length > 0
    );
  }

  /** Keys of the models of a pool that wait for accelerators. */
  waiting(poolKey: Key): Key[] {
    const { state } = this.#options;
    const pool = state.pools.store.get(poolKey);
    if (!pool || !this.applies(pool)) return [];
    return state.models.store
      .byIndex('byPool', poolKey)
      .filter(({ metadata }) => this.isWaiting(metadata.uid ?? ''))
      .map(keyOf);
  }

  /** Replicas that the model may have beside those that it has, without end where there is no budget; none while somebody waits for the pool. */
  room(pool: InferencePool, model: InferenceModel, now: number): number {
    if (!this.applies(pool)) return Number.POSITIVE_INFINITY;
    const { count } = this.#options.resolutions.pool(pool).accelerator;
    return Math.max(0, Math.floor(roomFor(model.metadata.namespace ?? '', this.#input(pool, now)) / count));
  }

  /** Decides anew for the whole pool and keeps it: who may wake, who waits and where, and who goes to sleep for whom. */
  decide(pool: InferencePool, now: number): Arbitration & { granted: ReadonlySet<string> } {
    const candidates = this.#options.state.models.store.byIndex('byPool', keyOf(pool));
    const byUid = new Map(candidates.map((model) => [model.metadata.uid ?? '', model]));
    const decision = arbitrate(this.#input(pool, now));
    const positions = new Map(decision.queue.map(({ uid, position }) => [uid, position]));
    const evictedFor = new Map(decision.evict.map((eviction) => [eviction.uid, eviction.for]));
    const result: Arbitration = { touched: [], evictions: [] };
    for (const [uid, model] of byUid) {
      const position = positions.get(uid);
      const before = this.#evictedFor.get(uid);
      const waiter = this.#stillEvicted(model, before, positions) ?? evictedFor.get(uid);
      if (this.#places.get(uid) === position && before === waiter) continue;
      if (waiter !== undefined && before === undefined) {
        const forWhom = byUid.get(waiter);
        if (forWhom) result.evictions.push({ victim: model, waiter: forWhom });
      }
      this.#places.set(uid, position);
      this.#evictedFor.set(uid, waiter);
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
    return deployment ? this.#options.replicas.of(model.metadata.uid ?? '', deployment) : 0;
  }

  #input(pool: InferencePool, now: number): BudgetInput {
    const { accelerators = Number.POSITIVE_INFINITY, namespaceQuotas = [] } = pool.spec.capacity;
    return { now, accelerators, namespaceQuotas, models: this.#models(pool, now) };
  }

  #models(pool: InferencePool, now: number): BudgetModel[] {
    const { state, resolutions, acceptance, lives, departures, demand, minReplicas } = this.#options;
    const key = keyOf(pool);
    const { count, resourceName } = resolutions.pool(pool).accelerator;
    const resolve = resolutions.findInPool(pool);
    // One that has nothing and asks for nothing changes nothing.
    const present = state.models.store.byIndex('byPool', key).flatMap((model): BudgetModel | [] => {
      const uid = model.metadata.uid ?? '';
      const namespace = model.metadata.namespace ?? '';
      const { deployment, pods, health } = this.#workloads.of(model);
      const given = this.#options.replicas.claimed(uid, deployment);
      const holding = pods.filter((pod) => holdsAccelerators(pod, resourceName));
      const ending = holding.filter(
        (pod) =>
          pod.metadata.deletionTimestamp !== undefined ||
          isReleased(pod) ||
          departures.isReleasing(uid, pod.metadata.uid ?? ''),
      ).length;
      const scaling = resolve(model)?.scaling;
      const most = scaling ? mostReplicas(scaling) : given;
      const replicas = ending + Math.max(holding.length - ending, Math.min(given, most));
      const waiting = this.#requests.get(uid);
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
        mayGiveUp:
          health.ready > 0 && scaling !== undefined && scaling.kind !== 'Fixed' && minReplicas(scaling) === 0,
        leaving:
          this.#evictedFor.has(uid) || isHeldBack(lives.of(uid).phase) || (given === 0 && health.pods > 0),
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
