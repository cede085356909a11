/** The evidence about one model, from its record of usage. */
import type { Bucket } from '../usage/bucket.ts';
import { type Ledger, WHOLE_DAY } from '../usage/ledger.ts';
import { DAY_MS, HOUR_MS, startOf } from '../usage/periods.ts';
import { WINDOW_DAYS } from './thresholds.ts';

/** One hour of the clock in which something was recorded. */
export interface HourSeen extends Bucket {
  /** Start in milliseconds since 1970. */
  at: number;
}

export interface Evidence {
  /** Start and end of the record in milliseconds since 1970. */
  from: number;
  until: number;
  /** Ascending. Hours without anything are left out. */
  hours: readonly HourSeen[];
  /** Milliseconds that the model slept, in total. */
  asleepMs: number;
}

/**
 * The evidence in the record of a model that exists since `created`, in milliseconds since 1970. A model of the same name
 * before it does not count, nor do days whose hours are not stored any more.
 */
export function evidenceOf(
  ledger: Ledger,
  { name, created, accelerators }: { name: string; created: number; accelerators: number },
  now: number,
): Evidence {
  const since = Math.max(created, now - WINDOW_DAYS * DAY_MS);
  const hours: HourSeen[] = [];
  let asleepMs = 0;
  for (const [date, { models }] of ledger.days) {
    const day = startOf(date);
    for (const [row, bucket] of models.get(name) ?? []) {
      if (row === WHOLE_DAY && day >= since) asleepMs += bucket.asleepMs / accelerators;
      const at = day + row * HOUR_MS;
      if (row !== WHOLE_DAY && at + HOUR_MS > since && at <= now) hours.push({ at, ...bucket });
    }
  }
  hours.sort((a, b) => a.at - b.at);
  const from = Math.max(since, hours[0]?.at ?? now);
  return { from, until: now, hours, asleepMs };
}

/** The length of the time that the evidence covers, in days. */
export function daysOf({ from, until }: Pick<Evidence, 'from' | 'until'>): number {
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
