import type { InferenceModel, InferencePool } from '../api/types.ts';

/** Bounds of the running requests of an engine that apply to a model: its own, else those of its pool. Undefined if it is off. Pure. */
export function adaptiveConcurrency(
  pool: Pick<InferencePool, 'spec'>,
  { spec }: Pick<InferenceModel, 'spec'>,
): { min: number; max: number } | undefined {
  const settings = spec.admission?.adaptiveConcurrency ?? pool.spec.admission.adaptiveConcurrency;
  return settings?.enabled ? { min: settings.min, max: settings.max } : undefined;
}
