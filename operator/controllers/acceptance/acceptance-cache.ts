/**
 * Caches the verdicts of each pool about its models until something changes them. After a restart, thousands of models
 * ask at once.
 */
import { isDeepStrictEqual } from 'node:util';
import type { InferenceModel, InferencePool } from '../../api/types.ts';
import type { Clock } from '../../kube/clock.ts';
import { type Key, keyOf } from '../../kube/key.ts';
import type { ObjectMeta } from '../../kube/object.ts';
import { PerObject } from '../../kube/per-object.ts';
import { type Acceptance, acceptModels } from '../../model/acceptance.ts';
import type { Grant } from '../../model/grant.ts';
import { Holdings } from '../../model/holdings.ts';
import { namespaceVerdict } from '../../model/namespace-verdict.ts';
import { poolKeyOf } from '../../model/pool-key.ts';
import { INVALID_SPEC } from '../../model/resolved-model.ts';
import type { Verdict } from '../../model/verdict.ts';
import { admits, poolsThatAdmit, poolsThatReconsider } from '../shared/admitted-namespaces.ts';
import { byModel, type ClusterState } from '../shared/cluster-state.ts';
import type { Resolutions } from '../shared/resolutions.ts';
import type { ConfigMap } from '../shared/workloads.ts';
import { AdmittedModels } from './admitted-models.ts';
import { EnginesInPool } from './engines-in-pool.ts';
import type { GrantLedger, SavedNames } from './grant-ledger.ts';
import { Reservations } from './reservations.ts';

const ACCEPTED: Verdict = { accepted: true };

/** For a model that cannot be resolved: it requests nothing and keeps its grant. */
const NOTHING = { claim: { names: [], replicas: 0 }, fault: { why: INVALID_SPEC, issues: [] } };

export interface AcceptanceCacheOptions {
  state: ClusterState;
  resolutions: Resolutions;
  ledger: GrantLedger;
  clock: Clock;
  /** Called when the verdicts of a pool are stale and have to be computed again. */
  onStale?: (poolKey: Key) => void;
  /** Called with the keys of the models whose verdict has changed. */
  onChanged?: (modelKeys: readonly Key[]) => void;
}

/** Accelerators that a pool has promised. */
export interface Charged {
  total: number;
  of: (namespace: string) => number;
}

interface PoolAcceptance {
  verdicts: Acceptance['verdicts'];
  holdings: Holdings;
  reservations: Reservations;
  isStale: boolean;
  /** Models that still have engines beyond their grant. */
  pendingRelease: ReadonlySet<Key>;
  /** Accelerators of one replica. */
  perReplica: number;
}

export class AcceptanceCache {
  readonly #options: AcceptanceCacheOptions;
  readonly #byPool: PerObject<PoolAcceptance>;
  readonly #engines: EnginesInPool;
  readonly #admitted: AdmittedModels;

  constructor(options: AcceptanceCacheOptions) {
    this.#options = options;
    const { state, resolutions } = options;
    this.#byPool = new PerObject(state.pools.store);
    this.#engines = new EnginesInPool(state, resolutions);
    this.#admitted = new AdmittedModels(state);
    state.models.store.subscribe(({ old, new: now }) => {
      if (old && now && isSameClaim(old, now)) return;
      for (const model of [old, now])
        for (const pool of model ? poolsThatAdmit(state, model) : []) this.#outdate(pool);
    });
    state.pools.store.subscribe(({ key, old, new: now }) => {
      if (old && now && old.metadata.generation === now.metadata.generation) return;
      if (now) this.#outdate(key);
    });
    state.namespaces.store.subscribe((change) => {
      for (const pool of poolsThatReconsider(state, change)) {
        const key = keyOf(pool);
        this.#outdate(key);
        options.onChanged?.(this.#admitted.in(key, change.key).map(keyOf));
      }
    });
    for (const { store } of [state.pods, state.deployments])
      store.subscribe(({ old, new: now }) => {
        for (const object of [old, now]) for (const key of object ? byModel(object) : []) this.#moved(key);
      });
    state.configMaps.store.subscribe(({ old, new: now }) => {
      const { metadata } = now ?? old ?? {};
      if (metadata) this.#seen(metadata, now);
    });
  }

  /** Loads what previous leaders granted. Must be awaited before any other call. Throws KubeError. */
  async load(signal?: AbortSignal): Promise<void> {
    await this.#options.ledger.load(signal);
  }

  /** The verdict of the pool about the model. Throws InvalidSpecError if the pool itself is invalid. */
  verdict(pool: InferencePool, model: InferenceModel): Verdict {
    const verdicts = this.verdicts(pool);
    const { namespace = '', uid = '' } = model.metadata;
    const { labels } = this.#options.state.namespaces.store.get(namespace)?.metadata ?? {};
    return namespaceVerdict(pool, namespace, labels) ?? verdicts.get(uid) ?? ACCEPTED;
  }

  /** The models that name the pool and whose namespace it admits. All others have nothing in it. */
  models(pool: InferencePool): InferenceModel[] {
    return this.#admitted.of(pool);
  }

  /** Verdicts by UID, for every model of `models` that is not being deleted. Throws InvalidSpecError. */
  verdicts(pool: InferencePool): ReadonlyMap<string, Verdict> {
    const known = this.#byPool.get(pool.metadata.uid);
    return known && !known.isStale && known.reservations.endsInMs !== 0
      ? known.verdicts
      : this.#judge(pool, known);
  }

  /** What the model is granted, whether or not its present spec is accepted. */
  grant(pool: InferencePool, model: InferenceModel): Grant | undefined {
    this.verdicts(pool);
    return this.#options.ledger.models(pool).get(keyOf(model));
  }

  /** Whether the model may have engines: it is accepted, or was accepted before its last change. */
  mayRun(pool: InferencePool, model: InferenceModel): boolean {
    const verdict = this.verdict(pool, model);
    return (
      verdict.accepted || (verdict.reason !== 'NamespaceNotAllowed' && this.grant(pool, model) !== undefined)
    );
  }

  /** The names under which routers may serve each model: those that are granted and persisted. */
  names(pool: InferencePool): SavedNames {
    this.verdicts(pool);
    return this.#options.ledger.savedNames(pool);
  }

  /** Resolves once the grants of the model's namespace are persisted. Throws KubeError. */
  async save(pool: InferencePool, model: InferenceModel, signal?: AbortSignal): Promise<void> {
    this.verdicts(pool);
    await this.#options.ledger.save(pool, model.metadata.namespace ?? '', signal);
  }

  /** Whether all granted replicas can run at once. False with overcommit, or if the budget was lowered below the grants. */
  hasRoomForAll(pool: InferencePool): boolean {
    this.verdicts(pool);
    const { accelerators, namespaceQuotas = [], overcommit } = pool.spec.capacity;
    const holdings = this.#byPool.get(pool.metadata.uid)?.holdings;
    if (overcommit || !holdings) return false;
    const perReplica = this.#options.resolutions.pool(pool).accelerator.count;
    return (
      holdings.replicas * perReplica <= (accelerators ?? Number.POSITIVE_INFINITY) &&
      namespaceQuotas.every(
        (quota) => holdings.share(quota.namespace).replicas * perReplica <= quota.accelerators,
      )
    );
  }

  /**
   * Accelerators that grants reserve, in total and by namespace, as last judged. Undefined before that, and with overcommit,
   * where grants reserve none.
   */
  charged(pool: InferencePool): Charged | undefined {
    const known = this.#byPool.get(pool.metadata.uid);
    if (pool.spec.capacity.overcommit || !known) return undefined;
    const { holdings, perReplica } = known;
    return {
      total: holdings.replicas * perReplica,
      of: (namespace) => holdings.share(namespace).replicas * perReplica,
    };
  }

  /** Engines in the pool of models that were deleted, moved to another pool, or are no longer admitted. */
  leaving(pool: InferencePool): { key: Key; replicas: number }[] {
    this.verdicts(pool);
    const key = keyOf(pool);
    const { state, ledger } = this.#options;
    const grants = ledger.models(pool);
    return [...(this.#byPool.get(pool.metadata.uid)?.pendingRelease ?? [])].flatMap((modelKey) => {
      const model = state.models.store.get(modelKey);
      if (model && poolKeyOf(model) === key && admits(state, pool, model.metadata.namespace)) return [];
      const replicas = Math.min(grants.get(modelKey)?.replicas ?? 0, this.#engines.of(pool, modelKey));
      return replicas > 0 ? [{ key: modelKey, replicas }] : [];
    });
  }

  /** Milliseconds until verdicts change because a reservation expires. */
  changesInMs(pool: InferencePool): number | undefined {
    return this.#byPool.get(pool.metadata.uid)?.reservations.endsInMs;
  }

  #judge(pool: InferencePool, known: PoolAcceptance | undefined): ReadonlyMap<string, Verdict> {
    const { state, resolutions, ledger, clock } = this.#options;
    const key = keyOf(pool);
    const reservations = known?.reservations ?? new Reservations(clock);
    const holdings = known?.holdings ?? new Holdings(ledger.models(pool));
    const models = this.models(pool);
    const gone = new Set<Key>();
    const resolve = resolutions.findInPool(pool);
    const resolved = resolutions.pool(pool);
    const { verdicts, pendingRelease, isSettled } = acceptModels({
      ...resolved,
      models,
      namespaceLabels: (name) => state.namespaces.store.get(name)?.metadata.labels,
      resolve: (model) => resolve(model) ?? NOTHING,
      holdings,
      isReserved: (holder) => {
        gone.add(holder);
        return reservations.isReserved(holder);
      },
      podsOf: (holder) => this.#engines.of(pool, holder),
    });
    reservations.retain((holder) => gone.has(holder) && holdings.of(holder) !== undefined);
    ledger.setModels(pool, holdings.grants, holdings.takeChanged());
    this.#byPool.set(pool.metadata.uid, {
      verdicts,
      holdings,
      reservations,
      isStale: !isSettled,
      pendingRelease,
      perReplica: resolved.accelerator.count,
    });
    if (!isSettled) this.#options.onStale?.(key);
    this.#notify(models, known?.verdicts, verdicts);
    return verdicts;
  }

  #notify(
    models: readonly InferenceModel[],
    before: ReadonlyMap<string, Verdict> | undefined,
    now: ReadonlyMap<string, Verdict>,
  ): void {
    if (!before || !this.#options.onChanged) return;
    const changed = models.filter(({ metadata: { uid = '' } }) => {
      const [old, verdict] = [before.get(uid), now.get(uid)];
      return old !== undefined && old !== verdict && !isDeepStrictEqual(old, verdict);
    });
    if (changed.length > 0) this.#options.onChanged(changed.map(keyOf));
  }

  #outdate(poolKey: Key): void {
    const known = this.#byPool.get(this.#options.state.pools.store.get(poolKey)?.metadata.uid);
    if (known) known.isStale = true;
  }

  /** The number of engines of the model has changed. This matters if it still has engines beyond its grant. */
  #moved(modelKey: Key): void {
    for (const pool of this.#options.state.pools.store.list()) {
      const known = this.#byPool.get(pool.metadata.uid);
      if (!known || known.isStale || !known.pendingRelease.has(modelKey)) continue;
      known.isStale = true;
      this.#options.onStale?.(keyOf(pool));
    }
  }

  /** A ConfigMap is there, or gone. Where it is the record of a pool and not as written, that has to be written anew. */
  #seen(metadata: ObjectMeta, now: ConfigMap | undefined): void {
    const { state, ledger, onStale } = this.#options;
    for (const pool of state.pools.store.byIndex('byNamespace', metadata.namespace ?? ''))
      if (ledger.seen(pool, metadata, now)) onStale?.(keyOf(pool));
  }
}

/** Whether a change of a model leaves its claim on the pool as it was. Most changes are of status. */
function isSameClaim(old: InferenceModel, now: InferenceModel): boolean {
  return (
    old.metadata.generation === now.metadata.generation &&
    old.metadata.deletionTimestamp === now.metadata.deletionTimestamp
  );
}
