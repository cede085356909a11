/** A model, and where it runs. */
import type { InferencePool } from '../api/types.ts';
import type { ResolvedModel } from '../model/resolved-model.ts';
import type { Patch } from './advice.ts';

export interface Subject
  extends Pick<ResolvedModel, 'model' | 'pool' | 'accelerator' | 'engine' | 'scaling' | 'target' | 'memory'> {
  /** Other pools that the model may use. */
  otherPools: readonly InferencePool[];
  /** Whether no other model uses the pool. */
  isAlone: boolean;
}

/** A patch of the model. */
export function modelPatch({ model }: Subject, spec: Patch['spec']): Patch {
  const { namespace = 'default', name } = model.metadata;
  return { kind: 'InferenceModel', namespace, name, spec };
}

/** Fewest replicas without schedules, or the fixed number. */
export function leastReplicas({ scaling }: Subject): number {
  return scaling.kind === 'Fixed' ? scaling.replicas : scaling.minReplicas;
}
