/** Fewest and most replicas that a model's spec allows. Pure. */
import type { InferenceModelSpec } from '../api/inference-model.ts';

export type Scaling = NonNullable<InferenceModelSpec['scaling']>;

/** Most replicas that the API takes, for a model whose number is someone else's. */
export const NO_LIMIT = 1_000;

/** The bounds without schedules. */
export function ownBounds(scaling: Scaling | undefined): { minReplicas: number; maxReplicas: number } {
  if (scaling?.replicas !== undefined && scaling.mode !== 'External')
    return { minReplicas: scaling.replicas, maxReplicas: scaling.replicas };
  // Who writes 0 to /scale, and sets no minimum, wants the model to go to sleep.
  const minReplicas = scaling?.minReplicas ?? Math.min(1, scaling?.replicas ?? 1);
  const unset = scaling?.mode === 'External' ? NO_LIMIT : Math.max(1, minReplicas);
  return { minReplicas, maxReplicas: scaling?.maxReplicas ?? unset };
}

/** Most replicas that a model can have at any time. */
export function mostReplicas(scaling: Scaling | undefined): number {
  const own = ownBounds(scaling);
  const highest = (scaling?.schedules ?? []).map((schedule) =>
    Math.max(schedule.minReplicas ?? 0, schedule.maxReplicas ?? 0),
  );
  return Math.max(own.maxReplicas, ...highest);
}
