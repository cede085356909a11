/** The bounds in force of each model, looked for anew only when its spec has changed or a schedule changes them. */
import type { InferenceModel } from '../../api/types.ts';
import type { Watchable } from '../../kube/store.ts';
import { type Bounds, boundsAt } from '../../scaling/bounds.ts';
import { ScheduleError } from '../../scaling/cron-edge.ts';

/** Longest wait for the next change of bounds: timers of Node hold 24 days, and a look in between costs nothing. */
export const LONGEST_WAIT_MS = 3_600_000;

interface Kept {
  generation: number | undefined;
  /** From when until when this holds, in milliseconds since 1970. */
  from: number;
  until: number;
  bounds: Bounds;
  error?: ScheduleError;
}

export class BoundsKeeper {
  /** By model UID. */
  readonly #kept = new Map<string, Kept>();

  constructor(models: Watchable<InferenceModel>) {
    models.subscribe(({ old, new: now }) => {
      if (old && !now) this.#kept.delete(old.metadata.uid ?? '');
    });
  }

  /**
   * The bounds at `now`, in milliseconds since 1970. Those of a model whose schedules cannot be read are the ones
   * without schedules; the model reconciler tells what is wrong.
   */
  of(model: InferenceModel, now: number): Bounds {
    return this.#of(model, now).bounds;
  }

  /** @throws {ScheduleError} when the schedules of a model cannot be read. */
  check(model: InferenceModel, now: number): void {
    const { error } = this.#of(model, now);
    if (error) throw error;
  }

  #of(model: InferenceModel, now: number): Kept {
    const { uid = '', generation } = model.metadata;
    const kept = this.#kept.get(uid);
    if (kept && kept.generation === generation && kept.from <= now && now < kept.until) return kept;
    const found = lookFor(model, now);
    this.#kept.set(uid, found);
    return found;
  }
}

function lookFor(model: InferenceModel, now: number): Kept {
  const { generation } = model.metadata;
  const { scaling } = model.spec;
  try {
    const bounds = boundsAt(scaling, now);
    return { generation, from: now, until: bounds.nextChange ?? Number.POSITIVE_INFINITY, bounds };
  } catch (error) {
    if (!(error instanceof ScheduleError) || !scaling) throw error;
    const { schedules: _, ...own } = scaling;
    return { generation, from: now, until: Number.POSITIVE_INFINITY, bounds: boundsAt(own, now), error };
  }
}
