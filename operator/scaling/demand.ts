/** What clients want of each model, summed over the routers of its pool. A lease, not a gauge: the last use counts, not the moment. */
import type { Clock } from '../kube/clock.ts';
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
  /** Which routers there are has been told. */
  listed: boolean;
  routers: Map<string, RouterState>;
  watchingSince: number;
  /** Last use by model UID, kept when the router that saw it is gone. */
  lastUsed: Map<string, number>;
}

export interface DemandTrackerOptions {
  clock: Clock;
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
  readonly #options: Omit<DemandTrackerOptions, 'clock'>;
  readonly #pools = new Map<string, PoolState>();

  constructor({ clock, ...options }: DemandTrackerOptions) {
    this.#clock = clock;
    this.#options = options;
  }

  /** Tells which routers a pool has now. What a router that is gone saw last stays in the lease. */
  setRouters(poolKey: string, routerIds: readonly string[]): void {
    const pool = this.#pool(poolKey);
    pool.listed = true;
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
    const pool = this.#pool(poolKey);
    const router = pool.routers.get(routerId);
    if (!router) return;
    const now = this.#clock.monotonic();
    this.#noteGap(pool, router, now);
    const before = router.models;
    router.answeredAt = now;
    router.version = report.version;
    const models = Object.entries(report.models).filter(([uid]) => this.#options.isModelOf(poolKey, uid));
    router.models = new Map(models);
    for (const [uid, demand] of models) {
      const used = isBusy(demand) ? now : now - demand.ageMs;
      pool.lastUsed.set(uid, Math.max(used, pool.lastUsed.get(uid) ?? Number.NEGATIVE_INFINITY));
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
   * routers nobody has told of yet, as after a restart, is unknown.
   */
  of(poolKey: string, modelUid: string): Demand {
    const pool = this.#pool(poolKey);
    const now = this.#clock.monotonic();
    const demand = { known: pool.listed, inFlight: 0, held: 0, queued: 0 };
    for (const router of pool.routers.values()) {
      if (!isFresh(router, now)) demand.known = false;
      const seen = router.models.get(modelUid);
      if (!seen) continue;
      demand.inFlight += seen.inFlight;
      demand.held += seen.held;
      demand.queued += seen.queued;
    }
    const lastUsed = isBusy(demand)
      ? now
      : Math.max(pool.watchingSince, pool.lastUsed.get(modelUid) ?? Number.NEGATIVE_INFINITY);
    return { ...demand, lastUsed, watchingSince: pool.watchingSince };
  }

  /** Whether every router of the pool runs the table of this version or a later one. Unknown is no, and so is no version. */
  confirmed(poolKey: string, version: number | undefined): boolean {
    if (version === undefined) return false;
    const now = this.#clock.monotonic();
    const { listed, routers } = this.#pool(poolKey);
    return (
      listed && [...routers.values()].every((router) => isFresh(router, now) && router.version >= version)
    );
  }

  /** Drops a model that is gone. */
  forgetModel(poolKey: string, modelUid: string): void {
    this.#pools.get(poolKey)?.lastUsed.delete(modelUid);
  }

  /** Drops a pool that is gone, or all knowledge when this process stops leading. */
  forget(poolKey: string): void {
    this.#pools.delete(poolKey);
  }

  #pool(key: string): PoolState {
    let pool = this.#pools.get(key);
    if (!pool) {
      pool = {
        listed: false,
        routers: new Map(),
        watchingSince: this.#clock.monotonic(),
        lastUsed: new Map(),
      };
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
