/** Hours of every day in which the minimum is never needed. */
import { HOUR_MS } from '../usage/periods.ts';
import type { Finding } from './advice.ts';
import { lacksDays } from './enough.ts';
import { type Evidence, type HourSeen, sumOf } from './evidence.ts';
import { savingOf } from './price.ts';
import { enoughReplicas, loweredMinimum } from './replicas-unused.ts';
import { leastReplicas, modelPatch, type Subject } from './subject.ts';
import { EARLIER_HOURS, MIN_QUIET_HOURS, MIN_SCHEDULE_DAYS, MIN_WATCHED } from './thresholds.ts';

const HOURS = 24;
const SCHEDULE = 'quiet-hours';

/** A time of every day, in UTC. `end` may be before `start`: it is then on the next day. */
interface QuietTime {
  start: number;
  end: number;
  hours: number;
  replicas: number;
}

/**
 * Advises a schedule with a lower minimum. `least` is the minimum outside of it: the present one, or the one that other
 * advice lowers it to. Silent about models that have schedules.
 */
export function quietHours(subject: Subject, evidence: Evidence, least = leastReplicas(subject)): Finding {
  const { scaling } = subject;
  if (least === 0 || (scaling.kind !== 'Fixed' && scaling.schedules.length > 0)) return undefined;
  const lacks = lacksDays(evidence, MIN_SCHEDULE_DAYS);
  if (lacks !== undefined) return { lacks };
  const quiet = bestQuietTime(enoughByHour(subject, evidence, least), least);
  if (!quiet) return undefined;
  const { start, end, hours, replicas } = quiet;
  const time = `from ${clock(start)} to ${clock(end)} UTC`;
  return {
    advice: {
      rule: 'QuietHours',
      change: `lower the minimum from ${least} to ${replicas} ${time}, every day`,
      evidence:
        replicas === 0
          ? `on no day ${time}, nor in the hour after it, was a request answered or did the operator see one`
          : `the demand that the operator saw ${time} needed at most ${replicas} replicas on every day, a spare one included`,
      ...(replicas === 0 && { caution: 'a request in that time waits for a cold start' }),
      from: evidence.from,
      until: evidence.until,
      patches: [
        modelPatch(subject, {
          scaling: {
            ...loweredMinimum(subject, least),
            schedules: [
              {
                name: SCHEDULE,
                start: `0 ${start} * * *`,
                end: `0 ${end} * * *`,
                timeZone: 'UTC',
                minReplicas: replicas,
              },
            ],
          },
        }),
      ],
      saving: savingOf(subject, ((least - replicas) * hours) / HOURS),
    },
  };
}

/** By hour of the day: replicas that were enough on all days. Where the demand was not known long enough, `least`. */
function enoughByHour(subject: Subject, { hours }: Evidence, least: number): number[] {
  const byHour = Map.groupBy(hours, ({ at }) => new Date(at).getUTCHours());
  return Array.from({ length: HOURS }, (_, hour) => {
    const seen: readonly HourSeen[] = byHour.get(hour) ?? [];
    const isKnown = sumOf(seen, 'watchedMs') >= MIN_SCHEDULE_DAYS * MIN_WATCHED * HOUR_MS;
    return isKnown ? Math.min(least, enoughReplicas(subject, seen)) : least;
  });
}

/** The time and the number of replicas that save most. */
function bestQuietTime(enough: readonly number[], least: number): QuietTime | undefined {
  let best: QuietTime | undefined;
  const saved = ({ hours, replicas }: QuietTime) => hours * (least - replicas);
  for (const replicas of new Set(enough)) {
    if (replicas >= least) continue;
    const found = longestQuietTime(enough, replicas);
    if (found && (!best || saved(found) > saved(best))) best = found;
  }
  return best;
}

function longestQuietTime(enough: readonly number[], replicas: number): QuietTime | undefined {
  let [start, length] = [0, 0];
  for (let from = 0; from < HOURS; from++) {
    let run = 0;
    while (run < HOURS && (enough[(from + run) % HOURS] ?? 0) <= replicas) run++;
    if (run > length) [start, length] = [from, run];
  }
  const hours = length - EARLIER_HOURS;
  // A whole day is no time of the day.
  if (hours < MIN_QUIET_HOURS || length === HOURS) return undefined;
  return { start, end: (start + hours) % HOURS, hours, replicas };
}

function clock(hour: number): string {
  return `${String(hour).padStart(2, '0')}:00`;
}
