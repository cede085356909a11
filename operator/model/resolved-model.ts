import type { InferenceModel, InferencePool } from '../api/types.ts';
import type { SpecIssue } from '../values/spec-issue.ts';
import type { Grant } from './grant.ts';
import type { MemoryPlan } from './memory-plan.ts';
import type { ResolvedAccelerator } from './resolve-accelerator.ts';
import type { ResolvedEngine } from './resolved-engine.ts';
import type { ResolvedScaling } from './resolved-scaling.ts';

/** A pool with valid accelerators. Without its status, which changes while the generation stays the same. */
export interface ResolvedPool {
  pool: Omit<InferencePool, 'status'>;
  accelerator: ResolvedAccelerator;
}

/** What is wrong with the spec of a model in its pool, and the condition that reports it. */
export interface SpecFault {
  why: typeof INVALID_SPEC | typeof DOES_NOT_FIT;
  issues: readonly SpecIssue[];
}

export const INVALID_SPEC = { condition: 'Accepted', reason: 'InvalidSpec' } as const;
export const DOES_NOT_FIT = { condition: 'MemoryFit', reason: 'DoesNotFit' } as const;

/**
 * The resolved specs of a model and its pool. Partial if there is a fault, because engines of an earlier spec still run and
 * scale. The same object while both generations stay the same.
 */
export interface Resolution {
  accelerator: ResolvedAccelerator;
  /** What the model claims from its pool. */
  claim: Grant;
  scaling: ResolvedScaling;
  /** How long a request waits for an engine to start. */
  wakeTimeoutMs: number;
  /** How long a terminating engine may finish its requests. */
  drainTimeoutMs: number;
  engine: ResolvedEngine | undefined;
  /** Absent if the model is unknown or extraArgs change the inputs of the plan. */
  memory: MemoryPlan | undefined;
  fault: SpecFault | undefined;
}

/** A model that its pool accepts and that can run there. */
export interface ResolvedModel extends Resolution {
  pool: InferencePool;
  model: InferenceModel;
  engine: ResolvedEngine;
  /** Target number of requests in flight or queued per replica. */
  target: number;
}
