/** More replicas than the highest demand that the operator saw needed. */
import type { Finding } from './advice.ts';
import { lacksDays } from './enough.ts';
import { type Evidence, type HourSeen, mostOf, sumOf } from './evidence.ts';
import { savingOf } from './price.ts';
import { leastReplicas, modelPatch, type Subject } from './subject.ts';
import { MIN_DAYS, SPARE_REPLICAS } from './thresholds.ts';

/** Replicas that the highest demand of an hour needs. */
export function neededReplicas({ target }: Pick<Subject, 'target'>, { peakInFlight }: HourSeen): number {
  return Math.ceil(peakInFlight / target);
}

/** The number of replicas that is enough: 0 without any request, else what the peak needed and a spare one. */
export function enoughReplicas(subject: Subject, hours: readonly HourSeen[]): number {
  const isUsed = sumOf(hours, 'requests') > 0 || mostOf(hours, 'peakInFlight') > 0;
  if (!isUsed) return 0;
  return Math.max(1, ...hours.map((hour) => neededReplicas(subject, hour))) + SPARE_REPLICAS;
}

/**
 * Advises a lower minimum, or a lower fixed number. Silent about models that have schedules: their minimum is not in force all
 * the time.
 */
export function replicasUnused(subject: Subject, evidence: Evidence): Finding {
  const { scaling } = subject;
  const least = leastReplicas(subject);
  if (least === 0 || (scaling.kind !== 'Fixed' && scaling.schedules.length > 0)) return undefined;
  const lacks = lacksDays(evidence, MIN_DAYS);
  if (lacks !== undefined) return { lacks };
  const enough = enoughReplicas(subject, evidence.hours);
  if (enough >= least) return undefined;
  const peak = mostOf(evidence.hours, 'peakInFlight');
  return {
    advice: {
      rule: 'ReplicasUnused',
      change:
        enough === 0
          ? 'let the model sleep: a request wakes it'
          : `lower ${scaling.kind === 'Fixed' ? 'replicas' : 'minReplicas'} from ${least} to ${enough}`,
      evidence:
        enough === 0
          ? 'no request was answered, and the operator saw none in flight or waiting'
          : `the operator saw at most ${peak} requests in flight or waiting, for which ${enough - SPARE_REPLICAS} of ${least} replicas are enough; one more stays as a spare`,
      ...(enough === 0 && { caution: 'the first request waits for a cold start' }),
      from: evidence.from,
      until: evidence.until,
      patches: [modelPatch(subject, { scaling: lowered(subject, enough) })],
      saving: savingOf(subject, meanSaved(subject, evidence.hours, { least, enough })),
    },
  };
}

function lowered(subject: Subject, enough: number): Record<string, unknown> {
  const { scaling } = subject;
  return scaling.kind === 'Fixed' && enough > 0 ? { replicas: enough } : loweredMinimum(subject, enough);
}

/** Fields of spec.scaling for a minimum. The maximum is stated, because without one it follows the minimum. */
export function loweredMinimum({ scaling }: Subject, minReplicas: number): Record<string, unknown> {
  if (scaling.kind === 'External') return { minReplicas };
  if (scaling.kind === 'Range') return { minReplicas, maxReplicas: scaling.maxReplicas };
  return { replicas: null, minReplicas, maxReplicas: Math.max(1, scaling.replicas) };
}

/** Mean number of replicas that a lower bound saves: in hours of high demand the autoscaler holds them anyway. */
export function meanSaved(
  subject: Subject,
  hours: readonly HourSeen[],
  { least, enough }: { least: number; enough: number },
): number {
  const watched = hours.filter(({ watchedMs }) => watchedMs > 0);
  const saved = watched.map((hour) => Math.max(0, least - Math.max(enough, neededReplicas(subject, hour))));
  return watched.length === 0 ? 0 : saved.reduce((sum, each) => sum + each, 0) / watched.length;
}
