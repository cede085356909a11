import type { InferenceModel, InferencePool } from '../api/types.ts';
import type { SpecIssue } from '../values/spec-issue.ts';
import type { Grant } from './grant.ts';
import type { MemoryPlan } from './memory-plan.ts';
import type { ResolvedAccelerator } from './resolve-accelerator.ts';
import type { ResolvedEngine } from './resolved-engine.ts';
import type { ResolvedScaling } from './resolved-scaling.ts';

/** A pool whose accelerators exist. Its status is left out, because it changes while the generation stays. */
export interface ResolvedPool {
  pool: Omit<InferencePool, 'status'>;
  accelerator: ResolvedAccelerator;
}

/** What is wrong with the spec of a model by itself, in its pool, and the condition that says it. */
export interface SpecFault {
  why: typeof INVALID_SPEC | typeof DOES_NOT_FIT;
  issues: readonly SpecIssue[];
}

export const INVALID_SPEC = { condition: 'Accepted', reason: 'InvalidSpec' } as const;
export const DOES_NOT_FIT = { condition: 'MemoryFit', reason: 'DoesNotFit' } as const;

/**
 * What the specs of a model and its pool come to, as far as they do: engines of an earlier spec still run, scale and end by
 * it. The same object for as long as both generations stay.
 */
export interface Resolution {
  accelerator: ResolvedAccelerator;
  /** What the model asks of its pool. */
  claim: Grant;
  scaling: ResolvedScaling;
  /** How long a request waits for an engine to start. */
  wakeTimeoutMs: number;
  /** How long an engine may go on with what it has once it is to end. */
  drainTimeoutMs: number;
  engine: ResolvedEngine | undefined;
  /** Absent for a model of unknown shape, and where extraArgs change what counts. */
  memory: MemoryPlan | undefined;
  fault: SpecFault | undefined;
}

/** A model that its pool takes and that can run there. */
export interface ResolvedModel extends Resolution {
  pool: InferencePool;
  model: InferenceModel;
  engine: ResolvedEngine;
  /** Requests in flight or queued that each replica is to have. */
  target: number;
}
