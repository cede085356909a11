/** How many replicas a model starts with when nothing but its spec decides. */
import type { InferenceModel } from '../api/types.ts';

/** Replicas that the spec asks for by itself: none while suspended, the fixed number, else the minimum, which may be 0. */
export function specReplicas(model: InferenceModel): number {
  if (model.spec.suspend) return 0;
  const scaling = model.spec.scaling;
  return scaling?.replicas ?? scaling?.minReplicas ?? 1;
}

/** Whether the spec gives one number instead of bounds. `/scale` writes the same field, which is how others scale a model. */
export function isFixed(model: InferenceModel): boolean {
  return model.spec.scaling === undefined || model.spec.scaling.replicas !== undefined;
}
