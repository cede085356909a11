/** What clients want of each model, summed over the routers of its pool. A lease, not a gauge: the last use counts, not the moment. */
import type { Clock } from '../kube/clock.ts';
import type { KubeObject } from '../kube/object.ts';
import { PerObject } from '../kube/per-object.ts';
import type { Watchable } from '../kube/store.ts';
import type { DemandReport, ModelDemand } from '../router/protocol.ts';

/** The demand for one model at one moment. Times are of `clock.monotonic()`, in milliseconds. */
export interface Demand {
  /** False while any router of the pool has not answered lately: its requests are unknown, so nothing may go down. */
  known: boolean;
  inFlight: number;
  held: number;
  queued: number;
  /** When a router last saw a request; requests in flight, held or queued count as now. Never before `watchingSince`. */
  lastUsed: number;
  /** Since when every router of the pool has been watched without a gap. Nothing is idle for longer than this. */
  watchingSince: number;
}

/** A router that has not answered for this long is unknown: three long polls of one second and some. */
const STALE_MS = 4_000;

interface RouterState {
  answeredAt: number | undefined;
  version: number;
  models: ReadonlyMap<string, ModelDemand>;
}

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
  /** Whether there is such a model in the pool. What a router says of any other is left out. */
  isModelOf: (poolKey: string, modelUid: string) => boolean;
  /** A model has requests held, or more than before: wake it now. */
  onHeld: (poolKey: string, modelUid: string) => void;
  /** A router sees requests for a model that it saw none for a moment ago. */
  onBusy: (poolKey: string, modelUid: string) => void;
  /** Requests that a router held are on their way to an engine, or have ended. */
  onReleased?: (poolKey: string, modelUid: string) => void;
}

export class DemandTracker {
  readonly #clock: Clock;
  readonly #options: Omit<DemandTrackerOptions, 'clock' | 'models'>;
  /** Those whose routers are known. */
  readonly #pools = new Map<string, PoolState>();
  /** Of models. It outlives the router that saw it. */
  readonly #lastUse: PerObject<LastUse>;

  constructor({ clock, models, ...options }: DemandTrackerOptions) {
    this.#clock = clock;
    this.#options = options;
    this.#lastUse = new PerObject(models);
  }

  /** Sets which routers a pool has now. What a router that is gone saw last stays in the lease. */
  setRouters(poolKey: string, routerIds: readonly string[]): void {
    const pool = this.#pool(poolKey);
    for (const id of pool.routers.keys()) {
      if (!routerIds.includes(id)) pool.routers.delete(id);
    }
    for (const id of routerIds) {
      if (!pool.routers.has(id))
        pool.routers.set(id, { answeredAt: undefined, version: 0, models: new Map() });
    }
  }

  /** Takes in what a router answered. */
  report(poolKey: string, routerId: string, report: DemandReport): void {
    const pool = this.#pools.get(poolKey);
    const router = pool?.routers.get(routerId);
    if (!pool || !router) return;
    const now = this.#clock.monotonic();
    this.#noteGap(pool, router, now);
    const before = router.models;
    router.answeredAt = now;
    router.version = report.version;
    const models = Object.entries(report.models).filter(([uid]) => this.#options.isModelOf(poolKey, uid));
    router.models = new Map(models);
    for (const [uid, demand] of models) {
      const used = isBusy(demand) ? now : now - demand.ageMs;
      this.#lastUse.set(uid, { poolKey, at: Math.max(used, this.#lastUsed(poolKey, uid)) });
      const last = before.get(uid);
      if (last && last.held > 0 && demand.held === 0) {
        this.#options.onReleased?.(poolKey, uid);
      }
      if (demand.held > (last?.held ?? 0)) this.#options.onHeld(poolKey, uid);
      else if (isBusy(demand) && !(last && isBusy(last))) this.#options.onBusy(poolKey, uid);
    }
  }

  /**
   * The demand for a model now. A pool without routers has no clients: known, and idle since it is watched. One whose
   * routers are not known yet, as after a restart, is unknown.
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

  /** Whether every router of the pool runs the table of this version or a later one. Unknown is no, and so is no version. */
  confirmed(poolKey: string, version: number | undefined): boolean {
    if (version === undefined) return false;
    const now = this.#clock.monotonic();
    const pool = this.#pools.get(poolKey);
    if (!pool) return false;
    return [...pool.routers.values()].every((router) => isFresh(router, now) && router.version >= version);
  }

  /** Drops a pool that is gone, or all knowledge when this process stops leading. */
  forget(poolKey: string): void {
    this.#pools.delete(poolKey);
  }

  /** While the model was in this pool. */
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

  /** A router that was silent may have served requests that no report shows: its pool is watched anew from here. */
  #noteGap(pool: PoolState, router: RouterState, now: number): void {
    if (router.answeredAt !== undefined && now - router.answeredAt > STALE_MS) pool.watchingSince = now;
  }
}

function isBusy(demand: Pick<ModelDemand, 'inFlight' | 'held' | 'queued'>): boolean {
  return demand.inFlight > 0 || demand.held > 0 || demand.queued > 0;
}

function isFresh(router: RouterState, now: number): boolean {
  return router.answeredAt !== undefined && now - router.answeredAt <= STALE_MS;
}
