/** A model that is woken again so soon that its cold starts take more accelerator time than its sleep saves. */
import { DAY_MS } from '../usage/periods.ts';
import type { Finding } from './advice.ts';
import { shownDays } from './enough.ts';
import { daysOf, type Evidence, sumOf } from './evidence.ts';
import { savingOf } from './price.ts';
import { modelPatch, type Subject } from './subject.ts';
import { MIN_DAYS, MIN_WAKES } from './thresholds.ts';

const MINUTE_MS = 60_000;
/** Longest timeout that the API takes, in minutes: ten days. */
const LONGEST_MINUTES = 14_400;

/** Advises a longer idleTimeout: by twice the mean sleep, which most sleeps are shorter than. */
export function sleepCostsMore(subject: Subject, evidence: Evidence): Finding {
  const { scaling } = subject;
  const sleeps =
    scaling.kind !== 'Fixed' &&
    (scaling.minReplicas === 0 || scaling.schedules.some(({ minReplicas }) => minReplicas === 0));
  if (!sleeps) return undefined;
  const wakes = sumOf(evidence.hours, 'wakes');
  if (daysOf(evidence) < MIN_DAYS || wakes < MIN_WAKES)
    return {
      lacks: `${MIN_DAYS} days of record and ${MIN_WAKES} starts of the model; there are ${shownDays(daysOf(evidence))} days and ${wakes} starts`,
    };
  const lostMs = sumOf(evidence.hours, 'coldStartMs') - evidence.asleepMs;
  if (lostMs <= 0) return undefined;
  const minutes = Math.min(
    LONGEST_MINUTES,
    Math.ceil((scaling.idleTimeoutMs + (2 * evidence.asleepMs) / wakes) / MINUTE_MS) + 1,
  );
  const mean = (ms: number) => `${Math.round(ms / wakes / 1_000)} s`;
  return {
    advice: {
      rule: 'SleepCostsMore',
      change: `raise idleTimeout from ${scaling.idleTimeout} to ${minutes}m`,
      evidence: `${wakes} times a request woke the model; for each time it had slept ${mean(evidence.asleepMs)} on average, and a pod held accelerators for ${mean(sumOf(evidence.hours, 'coldStartMs'))} before it served`,
      from: evidence.from,
      until: evidence.until,
      patches: [modelPatch(subject, { scaling: { idleTimeout: `${minutes}m` } })],
      saving: savingOf(subject, lostMs / (daysOf(evidence) * DAY_MS)),
    },
  };
}
