/** Usage of this hour, day and month, and what a round has added. */
import { BUCKET_FIELDS, type Bucket, EMPTY_BUCKET, plus, total } from './bucket.ts';
import type { Day, Ledger } from './ledger.ts';
import { dayOf, hourOf, monthOf } from './periods.ts';

/** By length of the window, each from its start in UTC until now. */
export interface Windows {
  hour: Bucket;
  day: Bucket;
  month: Bucket;
}

const NO_USAGE: Windows = { hour: EMPTY_BUCKET, day: EMPTY_BUCKET, month: EMPTY_BUCKET };

/** Computes windows. Caches the sums of days, which are immutable: a month has many, and only today changes. */
export class WindowSums {
  readonly #sums = new WeakMap<Day, ReadonlyMap<string, Bucket>>();

  /** The windows of each model of a ledger that used something this month. `now`: milliseconds since 1970. */
  of(ledger: Ledger, now: number): Map<string, Windows> {
    const today = dayOf(now);
    const windows = new Map<string, Windows>();
    const add = (model: string, month: Bucket) => {
      const known = windows.get(model) ?? NO_USAGE;
      windows.set(model, { ...known, month: plus(known.month, month) });
    };
    for (const [model, bucket] of ledger.months.get(monthOf(today)) ?? []) add(model, bucket);
    for (const [date, day] of ledger.days) {
      if (monthOf(date) !== monthOf(today)) continue;
      for (const [model, bucket] of this.#sumsOf(day)) add(model, bucket);
    }
    const day = ledger.days.get(today);
    for (const [model, bucket] of day ? this.#sumsOf(day) : []) {
      const hour = day?.models.get(model)?.get(hourOf(now)) ?? EMPTY_BUCKET;
      windows.set(model, { ...(windows.get(model) ?? NO_USAGE), day: bucket, hour });
    }
    return windows;
  }

  #sumsOf(day: Day): ReadonlyMap<string, Bucket> {
    const known = this.#sums.get(day);
    if (known) return known;
    const sums = new Map([...day.models].map(([model, rows]) => [model, total(rows.values())]));
    this.#sums.set(day, sums);
    return sums;
  }
}

/** The windows of several models together. */
export function sumOfWindows(all: Iterable<Windows>): Windows {
  let sum = NO_USAGE;
  for (const { hour, day, month } of all)
    sum = { hour: plus(sum.hour, hour), day: plus(sum.day, day), month: plus(sum.month, month) };
  return sum;
}

/** What `account` has added to each model. */
export function addedUsage(before: Ledger, after: Ledger): Map<string, Bucket> {
  const added = new Map<string, Bucket>();
  for (const [date, day] of after.days) {
    const old = before.days.get(date);
    if (day === old) continue;
    for (const [model, rows] of day.models) {
      const oldRows = old?.models.get(model);
      if (rows === oldRows) continue;
      const more = difference(total(rows.values()), total(oldRows?.values() ?? []));
      added.set(model, plus(added.get(model) ?? EMPTY_BUCKET, more));
    }
  }
  return added;
}

function difference(a: Bucket, b: Bucket): Bucket {
  const rest = { ...a };
  for (const field of BUCKET_FIELDS) rest[field] -= b[field];
  return rest;
}
