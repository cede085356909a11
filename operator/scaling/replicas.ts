/** How many replicas a model starts with when nothing but its spec decides. */
import type { InferenceModel } from '../api/types.ts';
import type { Bounds } from './bounds.ts';

/** Replicas that the spec asks for by itself: none while suspended, the fixed number, else the minimum, which may be 0. */
export function specReplicas(model: InferenceModel): number {
  const { scaling, suspend } = model.spec;
  if (suspend) return 0;
  if (scaling?.mode === 'External' && scaling.minReplicas === 0) return 0;
  return scaling?.replicas ?? scaling?.minReplicas ?? 1;
}

/** Whether the spec gives one number and no bounds: nothing to decide, and no sleep. */
export function isFixed(model: InferenceModel): boolean {
  return hasNumber(model) && model.spec.scaling?.mode !== 'External';
}

/** Whether the spec says how many there are to be while awake. `/scale` writes the same field, which is how others scale a model. */
export function hasNumber({ spec: { scaling } }: InferenceModel): boolean {
  return scaling === undefined || scaling.replicas !== undefined;
}

/** The number of the spec, within the bounds in force. An External one is of a model that is awake, so at least 1. */
export function numberWithin(
  model: InferenceModel,
  { minReplicas, maxReplicas }: Pick<Bounds, 'minReplicas' | 'maxReplicas'>,
): number {
  const number = model.spec.scaling?.replicas ?? minReplicas;
  const least = isFixed(model) ? 0 : Math.max(1, minReplicas);
  return Math.min(Math.max(number, least), Math.max(least, maxReplicas));
}
