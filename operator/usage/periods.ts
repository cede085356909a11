/** Hours, days and months of the record, in UTC. */

export const HOUR_MS = 3_600_000;
export const DAY_MS = 24 * HOUR_MS;

/** The day of a time, as `2026-11-28`. */
export function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

/** The month of a day or time in text, as `2026-11`. */
export function monthOf(day: string): string {
  return day.slice(0, 7);
}

/** The hour of the day, from 0 to 23. */
export function hourOf(ms: number): number {
  return new Date(ms).getUTCHours();
}

/** Start of a day or month in milliseconds since 1970. */
export function startOf(dayOrMonth: string): number {
  return Date.parse(dayOrMonth.length === 7 ? `${dayOrMonth}-01` : dayOrMonth);
}

/** Splits a time at the hours of the clock. */
export function* byHour(from: number, to: number): Generator<{ at: number; ms: number }> {
  for (let at = from; at < to; ) {
    const next = Math.min(to, (Math.floor(at / HOUR_MS) + 1) * HOUR_MS);
    yield { at, ms: next - at };
    at = next;
  }
}
