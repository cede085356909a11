/** Keeps a ledger small: old days become months, and where there is no room, hours become days. Pure. */
import { KEPT_DAYS } from './account.ts';
import { type Bucket, EMPTY_BUCKET, plus, total } from './bucket.ts';
import { type Day, type Ledger, MAX_MODELS, OTHER, WHOLE_DAY } from './ledger.ts';
import { DAY_MS, dayOf, monthOf, startOf } from './periods.ts';

/** Months that are stored, counting the present one. */
const KEPT_MONTHS = 13;

/**
 * Adds days before the last 35 to their months, and drops months before the last 13. A day that the open record has too
 * (`isOpen`) would be counted twice, so it stays.
 */
export function rollUp(ledger: Ledger, now: number, isOpen: (date: string) => boolean): Ledger {
  const oldest = dayOf(now - (KEPT_DAYS - 1) * DAY_MS);
  let next = ledger;
  for (const date of [...ledger.days.keys()].sort())
    if (date < oldest && !isOpen(date)) next = intoMonth(next, date);
  const first = firstMonth(now);
  if ([...next.months.keys()].every((month) => month >= first)) return next;
  return { ...next, months: new Map([...next.months].filter(([month]) => month >= first)) };
}

function firstMonth(now: number): string {
  const date = new Date(startOf(monthOf(dayOf(now))));
  date.setUTCMonth(date.getUTCMonth() - (KEPT_MONTHS - 1));
  return monthOf(dayOf(date.getTime()));
}

/** The ledger without a day, which is in its month instead. */
export function intoMonth(ledger: Ledger, date: string): Ledger {
  const day = ledger.days.get(date);
  if (!day) return ledger;
  const month = new Map<string, Bucket>(ledger.months.get(monthOf(date)));
  for (const [model, rows] of day.models) {
    const name = month.has(model) || month.size < MAX_MODELS ? model : OTHER;
    month.set(name, plus(month.get(name) ?? EMPTY_BUCKET, total(rows.values())));
  }
  const days = new Map(ledger.days);
  days.delete(date);
  return { ...ledger, days, months: new Map([...ledger.months, [monthOf(date), month]]) };
}

/** Reduces the oldest month with several models to their sum. Returns the same ledger if there is none. */
export function withoutModels(ledger: Ledger): Ledger {
  const oldest = [...ledger.months]
    .filter(([, models]) => models.size > 1)
    .sort(([a], [b]) => (a < b ? -1 : 1))[0];
  if (!oldest) return ledger;
  const [month, models] = oldest;
  return {
    ...ledger,
    months: new Map([...ledger.months, [month, new Map([[OTHER, total(models.values())]])]]),
  };
}

/** The day with one row for each model, and no keys. */
export function withoutHours(day: Day): Day {
  const models = [...day.models].map(
    ([model, rows]) => [model, new Map([[WHOLE_DAY, total(rows.values())]])] as const,
  );
  return { models: new Map(models), keys: new Map() };
}

/** Whether `withoutHours` would change the day. */
export function hasHours(day: Day): boolean {
  return day.keys.size > 0 || [...day.models.values()].some((rows) => rows.size > 1 || !rows.has(WHOLE_DAY));
}
