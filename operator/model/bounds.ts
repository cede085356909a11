/** The replica bounds in force at a given time, including schedules. Pure. */
import { CronEdge } from './cron-edge.ts';
import type { ResolvedScaling, Schedule } from './resolved-scaling.ts';

export interface Bounds {
  minReplicas: number;
  /** At least `minReplicas`. */
  maxReplicas: number;
  /** Names of the schedules whose window is open. */
  open: string[];
  /** When a schedule next changes the bounds, in milliseconds since 1970; absent if none will. */
  nextChange?: number;
}

/** Most schedule edges to look past that open or close a window without changing the bounds. */
const MAX_STEPS = 64;

/** Most dates to compute. Each takes about 0.1 ms. */
const MAX_LOOKS = 128;

/**
 * The bounds at `now` (milliseconds since 1970). A window is open from each `start` until the next `end`; if both coincide,
 * it is open. A window without a past `start` is closed, and one without a later `end` stays open. The highest minimum and
 * the highest maximum of the open windows replace those of the model. A minimum above the resulting maximum raises the
 * maximum, because planned capacity must not be taken away.
 */
export function boundsAt(scaling: ResolvedScaling, now: number): Bounds {
  if (scaling.kind === 'Fixed')
    return { minReplicas: scaling.replicas, maxReplicas: scaling.replicas, open: [] };
  const windows = scaling.schedules.map((schedule) => windowAt(schedule, now));
  const bounds = withOpen(scaling, windows);
  const nextChange = nextDifference(scaling, windows, bounds);
  return nextChange === undefined ? bounds : { ...bounds, nextChange };
}

type OwnBounds = Pick<Bounds, 'minReplicas' | 'maxReplicas'>;

function withOpen(own: OwnBounds, windows: readonly Window[]): Bounds {
  const open = windows.filter((window) => window.open).map(({ schedule }) => schedule);
  const minReplicas = highest(open.map((schedule) => schedule.minReplicas)) ?? own.minReplicas;
  const maxReplicas = highest(open.map((schedule) => schedule.maxReplicas)) ?? own.maxReplicas;
  return {
    minReplicas,
    maxReplicas: Math.max(minReplicas, maxReplicas),
    open: open.map(({ name }) => name),
  };
}

/** One schedule at a point in time, and its next edges. Infinity means never. */
interface Window {
  schedule: Schedule;
  start: CronEdge;
  end: CronEdge;
  open: boolean;
  nextStart: number;
  nextEnd: number;
}

function windowAt(schedule: Schedule, now: number): Window {
  const field = `spec.scaling.schedules[${schedule.name}]`;
  const start = new CronEdge(field, 'start', schedule.start, schedule.timeZone);
  const end = new CronEdge(field, 'end', schedule.end, schedule.timeZone);
  const started = start.last(now);
  return {
    schedule,
    start,
    end,
    open: started > Number.NEGATIVE_INFINITY && started >= end.last(now),
    nextStart: start.next(now),
    nextEnd: end.next(now),
  };
}

/** Moves from edge to edge until the bounds change. */
function nextDifference(own: OwnBounds, windows: readonly Window[], bounds: Bounds): number | undefined {
  let at = Number.POSITIVE_INFINITY;
  let current = windows;
  for (let step = 0, looks = 0; step < MAX_STEPS && looks < MAX_LOOKS; step++) {
    at = Math.min(...current.flatMap(({ nextStart, nextEnd }) => [nextStart, nextEnd]));
    if (at === Number.POSITIVE_INFINITY) return undefined;
    looks += current.filter(({ nextStart, nextEnd }) => nextStart === at || nextEnd === at).length;
    current = current.map((window) => advance(window, at));
    const then = withOpen(own, current);
    if (then.minReplicas !== bounds.minReplicas || then.maxReplicas !== bounds.maxReplicas) return at;
  }
  // Not a change, but a time to check again.
  return at;
}

function advance(window: Window, at: number): Window {
  const { start, end, open, nextStart, nextEnd } = window;
  if (nextStart !== at && nextEnd !== at) return window;
  return {
    ...window,
    open: nextStart === at || (nextEnd === at ? false : open),
    nextStart: nextStart === at ? start.next(at) : nextStart,
    nextEnd: nextEnd === at ? end.next(at) : nextEnd,
  };
}

function highest(values: readonly (number | undefined)[]): number | undefined {
  const given = values.filter((value) => value !== undefined);
  return given.length === 0 ? undefined : Math.max(...given);
}
