/** Owns the accelerator requests, the queue and the evictions of each pool. Runs the arbitration and stores its result. */
import type { InferenceModel, InferencePool } from '../../api/types.ts';
import { type Key, keyOf } from '../../kube/key.ts';
import { PerObject } from '../../kube/per-object.ts';
import { drainTimeoutSeconds } from '../../model/drain-timeout.ts';
import { mostReplicas } from '../../model/replica-counts.ts';
import type { ResolvedScaling } from '../../model/resolved-scaling.ts';
import {
  arbitrate,
  type BudgetInput,
  type BudgetModel,
  roomFor,
  type Waiting,
} from '../../scaling/budget.ts';
import type { DemandTracker } from '../../scaling/demand.ts';
import { isHeldBack } from '../../scaling/phase.ts';
import type { AcceptanceCache } from '../acceptance/acceptance-cache.ts';
import { ModelWorkloads } from '../model/model-workloads.ts';
import type { ClusterState } from '../shared/cluster-state.ts';
import type { DeparturesView } from '../shared/departures.ts';
import type { Resolutions } from '../shared/resolutions.ts';
import { holdsAccelerators, isReleased } from '../shared/workloads.ts';
import { Evictions } from './evictions.ts';
import type { LifecyclesView } from './lifecycles.ts';
import type { ReplicasView } from './replicas-writer.ts';

export interface AcceleratorBudgetOptions {
  state: ClusterState;
  resolutions: Resolutions;
  acceptance: AcceptanceCache;
  lifecycles: LifecyclesView;
  replicas: ReplicasView;
  departures: DeparturesView;
  demand: DemandTracker;
  /** Lower bound in force, including schedules. */
  minReplicas: (scaling: ResolvedScaling) => number;
}

/** The changes of one arbitration. */
export interface Arbitration {
  /** Keys of the models that were granted accelerators, evicted, or moved in the queue. They have to be reconciled. */
  touched: string[];
  /** New evictions: the model that has to sleep, and the model that waits for its accelerators. */
  evictions: { victim: InferenceModel; waiter: InferenceModel }[];
}

export interface Answer extends Arbitration {
  granted: boolean;
}

/** A pending request. Times are in monotonic milliseconds. */
interface BudgetRequest {
  since: number;
  /** Total number, not the increase. */
  replicas: number;
}

const GRANTED: Answer = { granted: true, touched: [], evictions: [] };

export class AcceleratorBudget {
  readonly #options: AcceleratorBudgetOptions;
  readonly #workloads: ModelWorkloads;
  /** By model. */
  readonly #requests: PerObject<BudgetRequest>;
  /** By model: its place in the queue. */
  readonly #places: PerObject<Waiting>;
  readonly #evictions: Evictions;

  constructor(options: AcceleratorBudgetOptions) {
    this.#options = options;
    this.#workloads = new ModelWorkloads(options.state);
    const models = options.state.models.store;
    this.#requests = new PerObject(models);
    this.#places = new PerObject(models);
    this.#evictions = new Evictions(models);
  }

  /** Whether the model has a pending request for accelerators. */
  isWaiting(uid: string): boolean {
    return this.#requests.has(uid);
  }

  /** Position in the queue, starting at 1; undefined if the model does not wait. */
  placeOf(uid: string): number | undefined {
    return this.#places.get(uid)?.position;
  }

  /** UID of the waiting model for which this model has to sleep. */
  evictedFor(uid: string): string | undefined {
    return this.#evictions.waiterOf(uid);
  }

  /** Requests a total number of replicas. A model that is not granted them keeps its place from its first request on. */
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

  /** Removes a request, because it is granted or no longer needed. */
  withdraw({ metadata: { uid = '' } }: InferenceModel): void {
    this.#requests.delete(uid);
    this.#places.delete(uid);
  }

  /** Whether the pool limits accelerators at all. */
  applies(pool: InferencePool): boolean {
    return (
      pool.spec.capacity.accelerators !== undefined || (pool.spec.capacity.namespaceQuotas ?? []).length > 0
    );
  }

  /** Keys of the models of a pool that wait for accelerators. */
  waiting(poolKey: Key): Key[] {
    const { state, acceptance } = this.#options;
    const pool = state.pools.store.get(poolKey);
    if (!pool || !this.applies(pool)) return [];
    return acceptance
      .models(pool)
      .filter(({ metadata }) => this.isWaiting(metadata.uid ?? ''))
      .map(keyOf);
  }

  /** Whether a model waits for what others can give up. */
  isShort(pool: InferencePool): boolean {
    return this.#options.acceptance
      .models(pool)
      .some(
        ({ metadata: { uid } }) => this.#requests.has(uid) && this.#places.get(uid)?.reason !== 'TooLarge',
      );
  }

  /** How many more replicas the model may start: infinite without a budget, and 0 while another model waits for the pool. */
  room(pool: InferencePool, model: InferenceModel, now: number): number {
    if (!this.applies(pool)) return Number.POSITIVE_INFINITY;
    const { count } = this.#options.resolutions.pool(pool).accelerator;
    return Math.max(0, Math.floor(roomFor(model.metadata.namespace ?? '', this.#input(pool, now)) / count));
  }

  /** Arbitrates for the whole pool and stores the result: which models may wake, the queue, and which models are evicted. */
  decide(pool: InferencePool, now: number): Arbitration & { granted: ReadonlySet<string> } {
    const candidates = this.#options.acceptance.models(pool);
    const byUid = new Map(candidates.map((model) => [model.metadata.uid ?? '', model]));
    const decision = arbitrate(this.#input(pool, now));
    const places = new Map(decision.queue.map((place) => [place.uid, place]));
    const evictedFor = new Map(decision.evict.map((eviction) => [eviction.uid, eviction.for]));
    const result: Arbitration = { touched: [], evictions: [] };
    for (const [uid, model] of byUid) {
      const place = places.get(uid);
      const position = this.placeOf(uid);
      this.#places.set(uid, place);
      const before = this.#evictions.waiterOf(uid);
      const waiter = this.#stillEvicted(model, before, places) ?? evictedFor.get(uid);
      if (position === place?.position && before === waiter) continue;
      if (waiter !== undefined && before === undefined) {
        const forWhom = byUid.get(waiter);
        if (forWhom) result.evictions.push({ victim: model, waiter: forWhom });
      }
      this.#evictions.set(uid, waiter, now, drainTimeoutSeconds(model.spec.engine, pool.spec.engine) * 1_000);
      result.touched.push(keyOf(model));
    }
    return { ...result, granted: new Set(decision.granted) };
  }

  /** An eviction stays in force while the waiting model waits and the evicted model still has replicas. */
  #stillEvicted(
    victim: InferenceModel,
    waiter: string | undefined,
    places: ReadonlyMap<string, Waiting>,
  ): string | undefined {
    const reason = waiter === undefined ? undefined : places.get(waiter)?.reason;
    if (reason === undefined || reason === 'TooLarge') return undefined;
    return this.#replicas(victim) > 0 ? waiter : undefined;
  }

  /** The number of replicas that the operator last set. */
  #replicas(model: InferenceModel): number {
    const { deployment } = this.#workloads.of(model);
    return deployment ? this.#options.replicas.of(model.metadata.uid ?? '', deployment) : 0;
  }

  #input(pool: InferencePool, now: number): BudgetInput {
    const { accelerators = Number.POSITIVE_INFINITY, namespaceQuotas = [] } = pool.spec.capacity;
    return { now, accelerators, namespaceQuotas, models: this.#models(pool, now) };
  }

  #models(pool: InferencePool, now: number): BudgetModel[] {
    const { resolutions, acceptance, lifecycles, departures, demand, minReplicas } = this.#options;
    const key = keyOf(pool);
    const { count, resourceName } = resolutions.pool(pool).accelerator;
    const resolve = resolutions.findInPool(pool);
    // Models that hold nothing and request nothing do not affect the arbitration.
    const present = acceptance.models(pool).flatMap((model): BudgetModel | [] => {
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
      // Before what follows, which asks whether it has had its time to leave.
      const leaving =
        this.#evictions.isLeaving(uid, now) ||
        isHeldBack(lifecycles.of(uid).phase) ||
        (given === 0 && health.pods > 0);
      const stays =
        !scaling ||
        scaling.kind === 'Fixed' ||
        minReplicas(scaling) > 0 ||
        !this.#evictions.mayBeChosen(uid, now);
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
        leaving,
        mayGiveUp: health.ready > 0 && !stays,
        stays,
      };
    });
    return [...present, ...this.#gone(pool, count)];
  }

  /** Engines of models that were deleted, moved to another pool, or are no longer admitted. They hold accelerators until they have terminated. */
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
      stays: false,
      leaving: true,
    }));
  }
}
