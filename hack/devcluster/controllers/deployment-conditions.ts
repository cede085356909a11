import type { WorkloadCondition } from '../kinds.ts';
import { apiTime } from '../node/timing.ts';

/**
 * Sets a condition in the way of the deployment controller: nothing changes while status and reason stay, the time of
 * transition stays while the status does, and a changed condition goes to the end.
 */
export function withCondition(
  conditions: readonly WorkloadCondition[],
  wanted: WorkloadCondition,
  now: Date,
): WorkloadCondition[] {
  const current = conditions.find((condition) => condition.type === wanted.type);
  if (current?.status === wanted.status && current.reason === wanted.reason) return [...conditions];
  return replaced(conditions, wanted, now);
}

/** As {@link withCondition}, but also with a new time and message when status and reason stay: there was progress. */
export function replaced(
  conditions: readonly WorkloadCondition[],
  wanted: WorkloadCondition,
  now: Date,
): WorkloadCondition[] {
  const current = conditions.find((condition) => condition.type === wanted.type);
  const time = apiTime(now);
  const transition = current?.status === wanted.status ? (current.lastTransitionTime ?? time) : time;
  const condition = { ...wanted, lastUpdateTime: time, lastTransitionTime: transition };
  return [...conditions.filter((c) => c.type !== wanted.type), condition];
}
