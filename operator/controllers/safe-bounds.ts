import type { InferenceModel } from '../api/types.ts';
import { type Bounds, boundsAt, ScheduleError } from '../scaling/bounds.ts';

/** Longest wait for the next change of bounds: timers of Node hold 24 days, and a look in between costs nothing. */
export const LONGEST_WAIT_MS = 3_600_000;

/**
 * The bounds in force, also for a model whose schedules cannot be read: those bounds are the ones without schedules, and
 * the model reconciler tells what is wrong. `now` is in milliseconds since 1970.
 */
export function safeBounds(model: InferenceModel, now: number): Bounds {
  const { scaling } = model.spec;
  try {
    return boundsAt(scaling, now);
  } catch (error) {
    if (!(error instanceof ScheduleError) || !scaling) throw error;
    const { schedules: _, ...own } = scaling;
    return boundsAt(own, now);
  }
}
