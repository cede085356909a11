/** Fewest and most replicas that are in force at a moment, schedules included. Pure. */
import { Cron } from 'croner';
import type { InferenceModelSpec } from '../api/inference-model.ts';

export type Scaling = NonNullable<InferenceModelSpec['scaling']>;
type Schedule = NonNullable<Scaling['schedules']>[number];

export interface Bounds {
  minReplicas: number;
  /** At least `minReplicas`. */
  maxReplicas: number;
  /** Names of the schedules whose window is open. */
  open: string[];
  /** When the bounds become others by themselves, in milliseconds since 1970. Absent when no schedule will change them. */
  nextChange?: number;
}

/** A cron expression or a time zone that has passed the schema, and that there is not. */
export class ScheduleError extends Error {
  override readonly name = 'ScheduleError';
  readonly code = 'SCHEDULE';
  readonly field: string;

  constructor(
    issue: { field: string; value: string; reason: string; remedy: string },
    options: ErrorOptions,
  ) {
    super(`${issue.field} "${issue.value}": ${issue.reason}; ${issue.remedy}`, options);
    this.field = issue.field;
  }
}

/** Most replicas that the API takes, for a model whose number is someone else's. */
const NO_LIMIT = 1_000;

/** Windows that open or close without changing the bounds are looked past, at most this many of them. */
const MAX_STEPS = 64;

/** Cron works in whole seconds: a look back from here sees what happens at this very moment. */
const SECOND_MS = 1_000;

/**
 * The bounds at `now` (milliseconds since 1970). A window is open from each `start` until the next `end`; where both
 * fall on one moment it is open. One that never ends stays open, one that has not started yet is closed. Among open
 * windows the highest minimum and the highest maximum hold, in place of the model's own; what no window sets stays the
 * model's. A minimum above the maximum that results raises it: capacity that someone planned for is not taken away.
 * @throws {ScheduleError}
 */
export function boundsAt(scaling: Scaling | undefined, now: number): Bounds {
  const windows = (scaling?.schedules ?? []).map((schedule) => windowAt(schedule, now));
  const bounds = withOpen(scaling, windows);
  const nextChange = nextDifference(scaling, windows, bounds);
  return nextChange === undefined ? bounds : { ...bounds, nextChange };
}

/** Most replicas that a model can have at any time. */
export function mostReplicas(scaling: Scaling | undefined): number {
  const own = ownBounds(scaling);
  const highest = (scaling?.schedules ?? []).map((schedule) =>
    Math.max(schedule.minReplicas ?? 0, schedule.maxReplicas ?? 0),
  );
  return Math.max(own.maxReplicas, ...highest);
}

function withOpen(scaling: Scaling | undefined, windows: readonly Window[]): Bounds {
  const own = ownBounds(scaling);
  const open = windows.filter((window) => window.open).map(({ schedule }) => schedule);
  const minReplicas = highest(open.map((schedule) => schedule.minReplicas)) ?? own.minReplicas;
  const maxReplicas = highest(open.map((schedule) => schedule.maxReplicas)) ?? own.maxReplicas;
  return {
    minReplicas,
    maxReplicas: Math.max(minReplicas, maxReplicas),
    open: open.map(({ name }) => name),
  };
}

function ownBounds(scaling: Scaling | undefined): { minReplicas: number; maxReplicas: number } {
  if (scaling?.replicas !== undefined && scaling.mode !== 'External')
    return { minReplicas: scaling.replicas, maxReplicas: scaling.replicas };
  // Who writes 0 to /scale, and sets no minimum, wants the model to go to sleep.
  const minReplicas = scaling?.minReplicas ?? Math.min(1, scaling?.replicas ?? 1);
  const unset = scaling?.mode === 'External' ? NO_LIMIT : Math.max(1, minReplicas);
  return { minReplicas, maxReplicas: scaling?.maxReplicas ?? unset };
}

/** One schedule at a moment, and how to go on from there. Infinity stands for never. */
interface Window {
  schedule: Schedule;
  open: boolean;
  nextStart: number;
  nextEnd: number;
}

function windowAt(schedule: Schedule, now: number): Window {
  const started = lastRun(schedule, 'start', now);
  const ended = lastRun(schedule, 'end', now);
  return {
    schedule,
    open: started > Number.NEGATIVE_INFINITY && started >= ended,
    nextStart: nextRun(schedule, 'start', now),
    nextEnd: nextRun(schedule, 'end', now),
  };
}

/** Goes from one edge to the next until the bounds are others. */
function nextDifference(
  scaling: Scaling | undefined,
  windows: readonly Window[],
  bounds: Bounds,
): number | undefined {
  let at = Number.POSITIVE_INFINITY;
  let current = windows;
  for (let step = 0; step < MAX_STEPS; step++) {
    at = Math.min(...current.flatMap(({ nextStart, nextEnd }) => [nextStart, nextEnd]));
    if (at === Number.POSITIVE_INFINITY) return undefined;
    current = current.map((window) => advance(window, at));
    const then = withOpen(scaling, current);
    if (then.minReplicas !== bounds.minReplicas || then.maxReplicas !== bounds.maxReplicas) return at;
  }
  // Not a difference, but a moment to look again, so that nothing is missed.
  return at;
}

function advance(window: Window, at: number): Window {
  const { schedule, open, nextStart, nextEnd } = window;
  return {
    schedule,
    open: nextStart === at || (nextEnd === at ? false : open),
    nextStart: nextStart === at ? nextRun(schedule, 'start', at) : nextStart,
    nextEnd: nextEnd === at ? nextRun(schedule, 'end', at) : nextEnd,
  };
}

type Edge = 'start' | 'end';

function nextRun(schedule: Schedule, edge: Edge, after: number): number {
  return cron(schedule, edge, (job) => job.nextRun(new Date(after)))?.getTime() ?? Number.POSITIVE_INFINITY;
}

/** When an edge last was, `now` included. */
function lastRun(schedule: Schedule, edge: Edge, now: number): number {
  const reference = new Date(Math.floor(now / SECOND_MS) * SECOND_MS + SECOND_MS);
  const last = cron(schedule, edge, (job) => job.previousRuns(1, reference)[0]);
  return last?.getTime() ?? Number.NEGATIVE_INFINITY;
}

function cron<T>(schedule: Schedule, edge: Edge, ask: (job: Cron) => T): T {
  const { name, timeZone: timezone = 'UTC' } = schedule;
  const field = `spec.scaling.schedules[${name}]`;
  try {
    return ask(new Cron(schedule[edge], { paused: true, timezone }));
  } catch (cause) {
    if (!isTimeZone(timezone)) {
      const remedy = 'give a name of the IANA database, such as Europe/Berlin';
      throw new ScheduleError(
        { field: `${field}.timeZone`, value: timezone, reason: 'there is no such time zone', remedy },
        { cause },
      );
    }
    const reason = cause instanceof Error ? cause.message : String(cause);
    const remedy = 'give minute, hour, day, month and weekday, such as "0 8 * * 1-5"';
    throw new ScheduleError({ field: `${field}.${edge}`, value: schedule[edge], reason, remedy }, { cause });
  }
}

function isTimeZone(timeZone: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone });
    return true;
  } catch {
    return false;
  }
}

function highest(values: readonly (number | undefined)[]): number | undefined {
  const given = values.filter((value) => value !== undefined);
  return given.length === 0 ? undefined : Math.max(...given);
}
