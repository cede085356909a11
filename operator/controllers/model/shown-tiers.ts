/** The tier of degradation of each model as its status shows it. */
import type { InferenceModel } from '../../api/types.ts';
import type { Clock } from '../../kube/clock.ts';
import type { KubeObject } from '../../kube/object.ts';
import { PerObject } from '../../kube/per-object.ts';
import type { Watchable } from '../../kube/store.ts';
import { poolKeyOf } from '../../model/pool-key.ts';
import type { DemandTracker } from '../../scaling/demand.ts';

/** Shortest interval between two tiers in the status of a model: routers may report any number of changes. */
const INTERVAL_MS = 30_000;

interface Shown {
  tier: number;
  /** Monotonic milliseconds. */
  since: number;
}

export interface ShownTiersOptions {
  clock: Clock;
  models: Watchable<KubeObject>;
  demand: Pick<DemandTracker, 'tierOf'>;
}

export class ShownTiers {
  readonly #options: ShownTiersOptions;
  readonly #shown: PerObject<Shown>;

  constructor(options: ShownTiersOptions) {
    this.#options = options;
    this.#shown = new PerObject(options.models);
  }

  /**
   * The tier to show, 0 for none, and after how many milliseconds to ask again. The one that was shown before as long as
   * the active one is not known, also by an earlier process, or was shown too recently.
   */
  of(model: InferenceModel): { tier: number; requeueAfterMs?: number } {
    const { clock, demand } = this.#options;
    const { uid = '' } = model.metadata;
    const { tier, since } = this.#shown.get(uid) ?? {
      tier: model.status?.degradationTier ?? 0,
      since: Number.NEGATIVE_INFINITY,
    };
    const active = demand.tierOf(poolKeyOf(model), uid) ?? tier;
    if (active === tier) return { tier };
    const early = since + INTERVAL_MS - clock.monotonic();
    if (early > 0) return { tier, requeueAfterMs: early };
    this.#shown.set(uid, { tier: active, since: clock.monotonic() });
    return { tier: active };
  }
}
