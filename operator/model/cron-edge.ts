/** One of the two cron expressions of a schedule: its start or its end. */
import { Cron } from 'croner';
import { DEFAULTS } from '../values/defaults.ts';
import { InvalidSpecError } from '../values/spec-issue.ts';

/** Cron has a resolution of one second. Searching back from one second later includes the current second. */
const SECOND_MS = 1_000;

/** Any leap year. */
const LEAP_YEAR = 2028;

const NO_DATE = {
  reason: 'the expression never matches a date',
  remedy:
    'use a day that exists in one of the months; for a window that never ends, set minReplicas and maxReplicas of the model',
};

export class CronEdge {
  readonly #cron: Cron;

  /**
   * @param field path of the schedule, such as `spec.scaling.schedules[office]`
   * @throws {InvalidSpecError} for an expression or time zone that matches the pattern of the schema but is invalid
   */
  constructor(
    field: string,
    edge: 'start' | 'end',
    expression: string,
    timeZone: string = DEFAULTS.scaling.timeZone,
  ) {
    const place = { field: `${field}.${edge}`, value: expression };
    if (!isTimeZone(timeZone)) {
      const remedy = 'use a name from the IANA time zone database, such as Europe/Berlin';
      const reason = 'the time zone does not exist';
      throw new InvalidSpecError([{ field: `${field}.timeZone`, value: timeZone, reason, remedy }]);
    }
    try {
      this.#cron = new Cron(expression, { paused: true, timezone: timeZone });
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      const remedy = 'use minute, hour, day, month and weekday, such as "0 8 * * 1-5"';
      throw new InvalidSpecError([{ ...place, reason, remedy }], { cause });
    }
    if (!comes(expression)) throw new InvalidSpecError([{ ...place, ...NO_DATE }]);
  }

  /** The next time after `after`, both in milliseconds since 1970. */
  next(after: number): number {
    return this.#cron.nextRun(new Date(after))?.getTime() ?? Number.POSITIVE_INFINITY;
  }

  /** The last time up to and including `now`. */
  last(now: number): number {
    const reference = new Date(Math.floor(now / SECOND_MS) * SECOND_MS + SECOND_MS);
    return this.#cron.previousRuns(1, reference)[0]?.getTime() ?? Number.NEGATIVE_INFINITY;
  }
}

/**
 * Whether the expression matches any date; none matches April 31. Checked before any search, because a search for a date
 * that never occurs covers eight thousand years.
 */
function comes(expression: string): boolean {
  const [, , days = '*', months = '*', weekdays = '*'] = expression.trim().split(/ +/);
  // Every weekday occurs in every month, and so do the first 28 days.
  if (weekdays !== '*' || days.split(',').some((day) => !(Number.parseInt(day, 10) > 28))) return true;
  const cron = new Cron(`0 0 ${days} ${months} *`, { paused: true, timezone: 'UTC' });
  return lateDays().some((day) => cron.match(day));
}

/** The days from the 29th on of each month of a leap year. */
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
