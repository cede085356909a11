/** Caches the replica bounds in force for each model until its spec or a schedule changes them. */
import { type Bounds, boundsAt } from '../../model/bounds.ts';
import type { ResolvedScaling } from '../../model/resolved-scaling.ts';

/** Longest delay until the next change of bounds. Node limits timers to 24 days, and one extra reconcile is cheap. */
export const LONGEST_WAIT_MS = 3_600_000;

interface Known {
  /** Validity of the entry, in milliseconds since 1970. */
  from: number;
  until: number;
  bounds: Bounds;
}

export class BoundsCache {
  readonly #known = new WeakMap<ResolvedScaling, Known>();

  /** The bounds at `now`, in milliseconds since 1970. */
  of(scaling: ResolvedScaling, now: number): Bounds {
    const known = this.#known.get(scaling);
    if (known && known.from <= now && now < known.until) return known.bounds;
    const bounds = boundsAt(scaling, now);
    this.#known.set(scaling, { from: now, until: bounds.nextChange ?? Number.POSITIVE_INFINITY, bounds });
    return bounds;
  }
}
