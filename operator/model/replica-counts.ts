/** How many replicas a model may have, is charged for and starts with, given its spec. */
import type { ExternalScaling, FixedScaling, RangeScaling, ResolvedScaling } from './resolved-scaling.ts';

/** Most replicas that the API allows. Used if an external autoscaler has no upper bound. */
export const NO_LIMIT = 1_000;

/** Most replicas that a model can ever have, including schedules. */
export function mostReplicas(scaling: ResolvedScaling): number {
  if (scaling.kind === 'Fixed') return scaling.replicas;
  return Math.max(
    scaling.maxReplicas,
    ...scaling.schedules.map(({ minReplicas = 0, maxReplicas = 0 }) => Math.max(minReplicas, maxReplicas)),
  );
}

/**
 * Number of replicas that are charged without overcommit: the most that the model may have at once, or the present number
 * if an external autoscaler has no upper bound.
 */
export function chargedReplicas(scaling: ResolvedScaling, suspended: boolean): number {
  if (suspended) return 0;
  return scaling.kind === 'External' && !scaling.isBounded ? scaling.replicas : mostReplicas(scaling);
}

/** Number of replicas that a new model starts with: the fixed number, else the minimum, which may be 0. */
export function initialReplicas(scaling: ResolvedScaling, suspended: boolean): number {
  if (suspended) return 0;
  if (scaling.kind === 'Range') return scaling.minReplicas;
  return scaling.kind === 'External' && scaling.minReplicas === 0 ? 0 : scaling.replicas;
}

/** The number in the spec, limited to the bounds in force. An External model that is awake has at least 1. */
export function replicasWithin(
  scaling: FixedScaling | ExternalScaling,
  { minReplicas, maxReplicas }: { minReplicas: number; maxReplicas: number },
): number {
  const least = scaling.kind === 'Fixed' ? 0 : Math.max(1, minReplicas);
  return Math.min(Math.max(scaling.replicas, least), Math.max(least, maxReplicas));
}

/** Whether the bounds determine the number of replicas of a model that is awake. Not if schedules move the bounds. */
export function leavesNoChoice(scaling: RangeScaling): boolean {
  const most = mostReplicas(scaling);
  return most <= 1 || (scaling.schedules.length === 0 && most <= scaling.minReplicas);
}
