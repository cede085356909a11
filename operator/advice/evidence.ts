/** What was seen of one model, for advice. */

/** One hour of the clock in which something was recorded. */
export interface HourSeen {
  /** Start in milliseconds since 1970. */
  at: number;
  /** Milliseconds of ready replicas. */
  readyMs: number;
  /** Milliseconds in which replicas ran and all routers of the pool told the demand. */
  watchedMs: number;
  /** Most requests at engines or waiting, of all routers. */
  peakInFlight: number;
  requests: number;
  /** Prompt and output of the longest request that was answered, in tokens; 0 if there was none. */
  longestRequest: number;
  /** Starts from zero replicas, and how long all of them took together. */
  wakes: number;
  coldStartMs: number;
}

export interface Evidence {
  /** Start and end of the record in milliseconds since 1970. */
  from: number;
  until: number;
  /** Ascending. Hours without anything are left out. */
  hours: readonly HourSeen[];
  /** Milliseconds that the model slept in all. */
  asleepMs: number;
  /** Highest share of a KV cache in use that Prometheus saw, from 0 to 1; absent if it was not asked or has none. */
  kvCachePeak?: number;
}

export const HOUR_MS = 3_600_000;
export const DAY_MS = 24 * HOUR_MS;

/** The time that all numbers are of, in days. */
export function daysOf({ from, until }: Evidence): number {
  return (until - from) / DAY_MS;
}

/** The sum of a number over the hours. */
export function sumOf(hours: readonly HourSeen[], field: Exclude<keyof HourSeen, 'at'>): number {
  return hours.reduce((sum, hour) => sum + hour[field], 0);
}

/** The highest value of a number; 0 without hours. */
export function mostOf(hours: readonly HourSeen[], field: Exclude<keyof HourSeen, 'at'>): number {
  return hours.reduce((most, hour) => Math.max(most, hour[field]), 0);
}
