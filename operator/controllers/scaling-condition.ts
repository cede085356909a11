/** Who decides between 1 and N, and how that is told. Pure. */
import type { InferenceModel, InferencePool } from '../api/types.ts';
import { isFixed } from '../scaling/replicas.ts';
import type { ModelView } from './model-status.ts';

/** Whether the operator's own loop decides between 1 and N. */
export function usesInternalLoop(model: InferenceModel): boolean {
  if (isFixed(model)) return false;
  const mode = model.spec.scaling?.mode ?? 'Auto';
  return mode === 'Auto' || mode === 'Internal';
}

/** The condition ScalingReady. */
export function scalingCondition(
  model: InferenceModel,
  _pool: InferencePool,
): NonNullable<ModelView['scaling']> {
  const mode = model.spec.scaling?.mode ?? 'Auto';
  if (mode === 'External')
    return {
      status: 'True',
      reason: 'External',
      message: 'replicas from 1 on are left to whoever scales the model',
    };
  if (isFixed(model))
    return { status: 'True', reason: 'FixedReplicas', message: 'a fixed number of replicas' };
  if (usesInternalLoop(model))
    return {
      status: 'True',
      reason: 'Internal',
      message: "the operator's own loop scales by requests in flight and queued",
    };
  return {
    status: 'False',
    reason: 'ScalingModeUnsupported',
    message: 'spec.scaling.mode: HPA is not served by this version; set Auto or Internal',
  };
}
