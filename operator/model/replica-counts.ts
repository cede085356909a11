/** How many replicas a model may have, is charged for and starts with, as far as its spec alone decides. */
import type { ExternalScaling, FixedScaling, RangeScaling, ResolvedScaling } from './resolved-scaling.ts';

/** Most replicas that the API takes, for a model whose number is someone else's. */
export const NO_LIMIT = 1_000;

/** Most replicas that a model can have at any time, schedules included. */
export function mostReplicas(scaling: ResolvedScaling): number {
  if (scaling.kind === 'Fixed') return scaling.replicas;
  return Math.max(
    scaling.maxReplicas,
    ...scaling.schedules.map(({ minReplicas = 0, maxReplicas = 0 }) => Math.max(minReplicas, maxReplicas)),
  );
}

/**
 * Replicas whose accelerators a model is charged without overcommit: the most that it may have at once. Where nothing
 * bounds somebody else's number, the present one.
 */
export function chargedReplicas(scaling: ResolvedScaling, suspended: boolean): number {
  if (suspended) return 0;
  return scaling.kind === 'External' && !scaling.isBounded ? scaling.replicas : mostReplicas(scaling);
}

/** Replicas that the spec asks for by itself: the number that it gives, else the minimum, which may be 0. */
export function initialReplicas(scaling: ResolvedScaling, suspended: boolean): number {
  if (suspended) return 0;
  if (scaling.kind === 'Range') return scaling.minReplicas;
  return scaling.kind === 'External' && scaling.minReplicas === 0 ? 0 : scaling.replicas;
}

/** The number of the spec, within the bounds in force. An External one is of a model that is awake, so at least 1. */
export function replicasWithin(
  scaling: FixedScaling | ExternalScaling,
  { minReplicas, maxReplicas }: { minReplicas: number; maxReplicas: number },
): number {
  const least = scaling.kind === 'Fixed' ? 0 : Math.max(1, minReplicas);
  return Math.min(Math.max(scaling.replicas, least), Math.max(least, maxReplicas));
}

/** Whether the bounds leave no choice while the model is awake. Schedules that move the bounds do. */
export function leavesNoChoice(scaling: RangeScaling): boolean {
  const most = mostReplicas(scaling);
  return most <= 1 || (scaling.schedules.length === 0 && most <= scaling.minReplicas);
}
