/** A model, and where it runs. */
import type { InferenceModel, InferencePool } from '../api/types.ts';
import type { MemoryPlan } from '../model/memory-plan.ts';
import type { ResolvedAccelerator } from '../model/resolve-accelerator.ts';
import type { ResolvedEngine } from '../model/resolved-engine.ts';
import type { ResolvedScaling } from '../model/resolved-scaling.ts';
import type { Patch } from './advice.ts';

export interface Subject {
  model: InferenceModel;
  pool: InferencePool;
  /** Other pools that the model may use. */
  otherPools: readonly InferencePool[];
  /** Whether no other model uses the pool. */
  isAlone: boolean;
  accelerator: ResolvedAccelerator;
  engine: ResolvedEngine;
  scaling: ResolvedScaling;
  /** Requests in flight or waiting that one replica is meant for. */
  target: number;
  memory: MemoryPlan | undefined;
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
