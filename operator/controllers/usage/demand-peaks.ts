/** The highest demand for each model that the operator saw since the last round of usage. */
import type { Clock } from '../../kube/clock.ts';
import type { Key } from '../../kube/key.ts';
import type { KubeObject } from '../../kube/object.ts';
import { PerObject } from '../../kube/per-object.ts';
import type { Watchable } from '../../kube/store.ts';
import type { Demand } from '../../scaling/demand.ts';
import type { Activity } from '../../usage/account.ts';

/** The first round of a model looks back this far at most. */
const FIRST_MS = 60_000;

/** More than the routers of a pool can have at once. Bounds what a compromised one says. */
const MAX_REQUESTS = 1_000_000;

interface Peak {
  poolKey: Key;
  /** When the last round took the peak, in milliseconds since 1970. */
  taken?: number;
  requests: number;
}

export interface DemandPeaksOptions {
  models: Watchable<KubeObject>;
  clock: Pick<Clock, 'now' | 'monotonic'>;
  /** The demand that the routers of a pool reported last for a model. */
  demandOf: (poolKey: Key, modelUid: string) => Demand;
}

/** By model UID. */
export class DemandPeaks {
  readonly #options: DemandPeaksOptions;
  readonly #peaks: PerObject<Peak>;

  constructor(options: DemandPeaksOptions) {
    this.#options = options;
    this.#peaks = new PerObject(options.models);
  }

  /** Call it whenever a router reports more requests of a model than before. */
  risen(poolKey: Key, uid: string): void {
    const requests = sum(this.#options.demandOf(poolKey, uid));
    const before = this.#of(poolKey, uid);
    if (requests > before.requests) this.#peaks.set(uid, { ...before, requests });
  }

  /** The highest demand since the last call, and whether all routers reported it all the time since then. */
  take(poolKey: Key, uid: string): Pick<Activity, 'since' | 'isWatched' | 'peakInFlight'> {
    const { clock, demandOf } = this.#options;
    const now = clock.now();
    const demand = demandOf(poolKey, uid);
    const { taken = now - FIRST_MS, requests } = this.#of(poolKey, uid);
    const watchedSince = Math.ceil(now - (clock.monotonic() - demand.watchingSince));
    this.#peaks.set(uid, { poolKey, taken: now, requests: sum(demand) });
    return {
      since: Math.max(taken, watchedSince),
      isWatched: demand.known,
      peakInFlight: Math.max(requests, sum(demand)),
    };
  }

  /** What was seen of a model in another pool does not count. */
  #of(poolKey: Key, uid: string): Peak {
    const known = this.#peaks.get(uid);
    return known?.poolKey === poolKey ? known : { poolKey, requests: 0 };
  }
}

function sum({ inFlight, held, queued }: Demand): number {
  return Math.min(MAX_REQUESTS, Math.ceil(inFlight + held + queued));
}
