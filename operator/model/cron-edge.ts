/** When a schedule starts or ends: one of its two cron expressions. */
import { Cron } from 'croner';
import { DEFAULTS } from '../values/defaults.ts';
import { InvalidSpecError } from '../values/spec-issue.ts';

/** Cron works in whole seconds: a look back from here sees what happens at this very moment. */
const SECOND_MS = 1_000;

/** Any year with a 29th of February. */
const LEAP_YEAR = 2028;

const NO_DATE = {
  reason: 'no such date ever comes',
  remedy:
    'give a day that one of the months has; a window without an end is what minReplicas and maxReplicas say',
};

export class CronEdge {
  readonly #cron: Cron;

  /**
   * @param field where the schedule is, such as `spec.scaling.schedules[office]`
   * @throws {InvalidSpecError} for an expression or a time zone that matches the schema's pattern but does not exist
   */
  constructor(
    field: string,
    edge: 'start' | 'end',
    expression: string,
    timeZone: string = DEFAULTS.scaling.timeZone,
  ) {
    const place = { field: `${field}.${edge}`, value: expression };
    if (!isTimeZone(timeZone)) {
      const remedy = 'give a name of the IANA database, such as Europe/Berlin';
      const reason = 'there is no such time zone';
      throw new InvalidSpecError([{ field: `${field}.timeZone`, value: timeZone, reason, remedy }]);
    }
    try {
      this.#cron = new Cron(expression, { paused: true, timezone: timeZone });
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      const remedy = 'give minute, hour, day, month and weekday, such as "0 8 * * 1-5"';
      throw new InvalidSpecError([{ ...place, reason, remedy }], { cause });
    }
    if (!comes(expression)) throw new InvalidSpecError([{ ...place, ...NO_DATE }]);
  }

  /** When it is next after a moment, both in milliseconds since 1970. */
  next(after: number): number {
    return this.#cron.nextRun(new Date(after))?.getTime() ?? Number.POSITIVE_INFINITY;
  }

  /** When it last was, `now` included. */
  last(now: number): number {
    const reference = new Date(Math.floor(now / SECOND_MS) * SECOND_MS + SECOND_MS);
    return this.#cron.previousRuns(1, reference)[0]?.getTime() ?? Number.NEGATIVE_INFINITY;
  }
}

/**
 * Whether there is ever a day that an expression means: none has the 31st of April. Asked before any search, because one
 * for a date that never comes goes on for eight thousand years.
 */
function comes(expression: string): boolean {
  const [, , days = '*', months = '*', weekdays = '*'] = expression.trim().split(/ +/);
  // A weekday comes in every month, and so do the first 28 days.
  if (weekdays !== '*' || days.split(',').some((day) => !(Number.parseInt(day, 10) > 28))) return true;
  const cron = new Cron(`0 0 ${days} ${months} *`, { paused: true, timezone: 'UTC' });
  return lateDays().some((day) => cron.match(day));
}

/** The days of a leap year from the 29th of each month on. */
function lateDays(): Date[] {
  return Array.from({ length: 12 }, (_, month) =>
    [29, 30, 31]
      .map((day) => new Date(Date.UTC(LEAP_YEAR, month, day)))
      .filter((date) => date.getUTCMonth() === month),
  ).flat();
}

function isTimeZone(timeZone: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone });
    return true;
  } catch {
    return false;
  }
}
