/** The bounds in force of each model, looked for anew only when its spec has changed or a schedule changes them. */
import { type Bounds, boundsAt } from '../../model/bounds.ts';
import type { ResolvedScaling } from '../../model/resolved-scaling.ts';

/** Longest wait for the next change of bounds: timers of Node hold 24 days, and a look in between costs nothing. */
export const LONGEST_WAIT_MS = 3_600_000;

interface Known {
  /** From when until when this holds, in milliseconds since 1970. */
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
