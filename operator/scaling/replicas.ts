/** How many replicas a model is to have when nothing but its spec decides. */
import type { InferenceModel } from '../api/types.ts';

/** Replicas that the spec asks for by itself: none while suspended, `replicas`, else the minimum but at least one. */
export function specReplicas(model: InferenceModel): number {
  if (model.spec.suspend) return 0;
  const scaling = model.spec.scaling;
  return scaling?.replicas ?? Math.max(1, scaling?.minReplicas ?? 1);
}
