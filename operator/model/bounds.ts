/** Fewest and most replicas that are in force at a moment, schedules included. Pure. */
import { CronEdge } from './cron-edge.ts';
import type { ResolvedScaling, Schedule } from './resolved-scaling.ts';

export interface Bounds {
  minReplicas: number;
  /** At least `minReplicas`. */
  maxReplicas: number;
  /** Names of the schedules whose window is open. */
  open: string[];
  /** When the bounds become others by themselves, in milliseconds since 1970. Absent when no schedule will change them. */
  nextChange?: number;
}

/** Windows that open or close without changing the bounds are looked past, at most this many of them. */
const MAX_STEPS = 64;

/** Dates that are looked for at most: each costs about a tenth of a millisecond. */
const MAX_LOOKS = 128;

/**
 * The bounds at `now` (milliseconds since 1970). A window is open from each `start` until the next `end`; where both
 * fall on one moment it is open. One that never ends stays open, one that has not started yet is closed. Among open
 * windows the highest minimum and the highest maximum hold, in place of the model's own; what no window sets stays the
 * model's. A minimum above the maximum that results raises it: capacity that someone planned for is not taken away.
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

/** One schedule at a moment, and how to go on from there. Infinity stands for never. */
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

/** Goes from one edge to the next until the bounds are others. */
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
  // Not a difference, but a moment to look again, so that nothing is missed.
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
