/** Whether there is enough evidence, and if not, what is lacking. */
import { DAY_MS } from '../usage/periods.ts';
import { daysOf, type Evidence, sumOf } from './evidence.ts';
import { MIN_REQUESTS, MIN_WATCHED } from './thresholds.ts';

/** Undefined if the demand was known on enough days. */
export function lacksDays(evidence: Evidence, days: number): string | undefined {
  const recorded = daysOf(evidence);
  const watched = sumOf(evidence.hours, 'watchedMs') / DAY_MS;
  if (recorded >= days && watched >= days * MIN_WATCHED) return undefined;
  const known =
    recorded >= days ? `the demand was known for ${shownDays(watched)}` : `there are ${shownDays(recorded)}`;
  return `${days} days of record with running replicas; ${known}`;
}

/** Undefined if enough requests were answered in enough days. */
export function lacksRequests(evidence: Evidence, days: number): string | undefined {
  const recorded = daysOf(evidence);
  if (recorded < days) return `${days} days of record; there are ${shownDays(recorded)}`;
  const requests = sumOf(evidence.hours, 'requests');
  return requests < MIN_REQUESTS ? `${MIN_REQUESTS} answered requests; there are ${requests}` : undefined;
}

/** Days with one decimal, rounded down, because 6.96 days are not 7. */
export function shownDays(days: number): string {
  return (Math.floor(days * 10) / 10).toFixed(1);
}
