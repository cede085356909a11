/** Demand for each model, summed over the routers of its pool. The time of the last use counts, not only the present load. */
import type { Clock } from '../kube/clock.ts';
import type { KubeObject } from '../kube/object.ts';
import { PerObject } from '../kube/per-object.ts';
import type { Watchable } from '../kube/store.ts';
import type { DemandReport, ModelDemand } from '../router/protocol.ts';

/** The demand for one model. Times are `clock.monotonic()` in milliseconds. */
export interface Demand {
  /** False if a router of the pool has not answered recently. Its requests are then unknown, so nothing may scale down. */
  known: boolean;
  inFlight: number;
  held: number;
  queued: number;
  /** When a router last saw a request. Requests in flight, held or queued count as now. Never before `watchingSince`. */
  lastUsed: number;
  /** Since when all routers of the pool have been watched without a gap. Nothing counts as idle for longer than this. */
  watchingSince: number;
}

/** Demand of a router is stale after this time: three long polls of one second, and a margin. */
const STALE_MS = 4_000;

interface RouterState {
  answeredAt: number | undefined;
  version: number;
  models: ReadonlyMap<string, ModelDemand>;
}

const NO_MODELS: RouterState['models'] = new Map();

interface PoolState {
  routers: Map<string, RouterState>;
  watchingSince: number;
}

/** Monotonic milliseconds. */
interface LastUse {
  poolKey: string;
  at: number;
}

export interface DemandTrackerOptions {
  clock: Clock;
  models: Watchable<KubeObject>;
  /** Whether the pool has this model. Reports about other models are ignored. */
  isModelOf: (poolKey: string, modelUid: string) => boolean;
  /** Called when more requests of a model wait for its start: wake it now. */
  onHeld: (poolKey: string, modelUid: string) => void;
  /** Called when a router sees requests for a model that was idle there. */
  onBusy: (poolKey: string, modelUid: string) => void;
  /** Called when a router reports more requests of a model than before. */
  onRisen?: (poolKey: string, modelUid: string) => void;
  /** Called when the waiting requests of a router were sent to an engine or have ended. */
  onReleased?: (poolKey: string, modelUid: string) => void;
  /** Called when the tier of degradation that a router reports for a model has changed. */
  onTier?: (modelUid: string) => void;
}

export class DemandTracker {
  readonly #clock: Clock;
  readonly #options: Omit<DemandTrackerOptions, 'clock' | 'models'>;
  /** Pools whose routers are known. */
  readonly #pools = new Map<string, PoolState>();
  /** By model. Survives the router that reported it. */
  readonly #lastUse: PerObject<LastUse>;

  constructor({ clock, models, ...options }: DemandTrackerOptions) {
    this.#clock = clock;
    this.#options = options;
    this.#lastUse = new PerObject(models);
  }

  /** Sets the current routers of a pool. The last use that a removed router reported still counts. */
  setRouters(poolKey: string, routerIds: readonly string[]): void {
    const pool = this.#pool(poolKey);
    for (const id of pool.routers.keys()) {
      if (routerIds.includes(id)) continue;
      const { models = NO_MODELS } = pool.routers.get(id) ?? {};
      pool.routers.delete(id);
      this.#noteTiers(models, NO_MODELS);
    }
    for (const id of routerIds) {
      if (!pool.routers.has(id))
        pool.routers.set(id, { answeredAt: undefined, version: 0, models: new Map() });
    }
  }

  /** Records the report of a router. */
  report(poolKey: string, routerId: string, report: DemandReport): void {
    const pool = this.#pools.get(poolKey);
    const router = pool?.routers.get(routerId);
    if (!pool || !router) return;
    const now = this.#clock.monotonic();
    this.#noteGap(pool, router, now);
    const before = router.models;
    const tiersBefore = isFresh(router, now) ? before : NO_MODELS;
    router.answeredAt = now;
    router.version = report.version;
    const models = Object.entries(report.models).filter(([uid]) => this.#options.isModelOf(poolKey, uid));
    router.models = new Map(models);
    this.#noteTiers(tiersBefore, router.models);
    for (const [uid, demand] of models) {
      const used = isBusy(demand) ? now : now - demand.ageMs;
      this.#lastUse.set(uid, { poolKey, at: Math.max(used, this.#lastUsed(poolKey, uid)) });
      const last = before.get(uid);
      if (sum(demand) > (last ? sum(last) : 0)) this.#options.onRisen?.(poolKey, uid);
      if (last && last.held > 0 && demand.held === 0) {
        this.#options.onReleased?.(poolKey, uid);
      }
      if (demand.held > (last?.held ?? 0)) this.#options.onHeld(poolKey, uid);
      else if (isBusy(demand) && !(last && isBusy(last))) this.#options.onBusy(poolKey, uid);
    }
  }

  /**
   * The current demand for a model. A pool without routers has no clients, so the demand is known, and the model is idle
   * since the pool is watched. If the routers are not known yet, for example after a restart, the demand is unknown.
   */
  of(poolKey: string, modelUid: string): Demand {
    const now = this.#clock.monotonic();
    const pool = this.#pools.get(poolKey);
    if (!pool) return { known: false, inFlight: 0, held: 0, queued: 0, lastUsed: now, watchingSince: now };
    const demand = { known: true, inFlight: 0, held: 0, queued: 0 };
    for (const router of pool.routers.values()) {
      if (!isFresh(router, now)) demand.known = false;
      const seen = router.models.get(modelUid);
      if (!seen) continue;
      demand.inFlight += seen.inFlight;
      demand.held += seen.held;
      demand.queued += seen.queued;
    }
    const lastUsed = isBusy(demand) ? now : Math.max(pool.watchingSince, this.#lastUsed(poolKey, modelUid));
    return { ...demand, lastUsed, watchingSince: pool.watchingSince };
  }

  /** The severest active tier of degradation at the routers of the pool, 0 for none; undefined while none of them answers. */
  tierOf(poolKey: string, modelUid: string): number | undefined {
    const now = this.#clock.monotonic();
    const routers = [...(this.#pools.get(poolKey)?.routers.values() ?? [])];
    const fresh = routers.filter((router) => isFresh(router, now));
    return fresh.length === 0
      ? undefined
      : Math.max(...fresh.map(({ models }) => models.get(modelUid)?.tier ?? 0));
  }

  #noteTiers(before: RouterState['models'], now: RouterState['models']): void {
    const { onTier } = this.#options;
    if (!onTier) return;
    const tierOf = (models: RouterState['models'], uid: string) => models.get(uid)?.tier ?? 0;
    for (const uid of new Set([...before.keys(), ...now.keys()]))
      if (tierOf(before, uid) !== tierOf(now, uid)) onTier(uid);
  }

  /** Whether all routers of the pool run this version of the table or a later one. False if that is unknown. */
  confirmed(poolKey: string, version: number | undefined): boolean {
    if (version === undefined) return false;
    const now = this.#clock.monotonic();
    const pool = this.#pools.get(poolKey);
    if (!pool) return false;
    return [...pool.routers.values()].every((router) => isFresh(router, now) && router.version >= version);
  }

  /** Forgets a pool that was deleted. */
  forget(poolKey: string): void {
    this.#pools.delete(poolKey);
  }

  /** The last use while the model was in this pool. */
  #lastUsed(poolKey: string, modelUid: string): number {
    const use = this.#lastUse.get(modelUid);
    return use?.poolKey === poolKey ? use.at : Number.NEGATIVE_INFINITY;
  }

  #pool(key: string): PoolState {
    let pool = this.#pools.get(key);
    if (!pool) {
      pool = { routers: new Map(), watchingSince: this.#clock.monotonic() };
      this.#pools.set(key, pool);
    }
    return pool;
  }

  /** A router that did not answer may have served requests that no report shows, so watching its pool starts over. */
  #noteGap(pool: PoolState, router: RouterState, now: number): void {
    if (router.answeredAt !== undefined && now - router.answeredAt > STALE_MS) pool.watchingSince = now;
  }
}

function isBusy(demand: Pick<ModelDemand, 'inFlight' | 'held' | 'queued'>): boolean {
  return demand.inFlight > 0 || demand.held > 0 || demand.queued > 0;
}

function sum({ inFlight, held, queued }: ModelDemand): number {
  return inFlight + held + queued;
}

function isFresh(router: RouterState, now: number): boolean {
  return router.answeredAt !== undefined && now - router.answeredAt <= STALE_MS;
}
