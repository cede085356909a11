/** How a model scales, with every default filled in. */
import type { InferenceModelSpec } from '../api/inference-model.ts';

export type ScalingSpec = NonNullable<InferenceModelSpec['scaling']>;

/** A window of time with bounds of its own. Its expressions and its time zone are known to exist. */
export type Schedule = NonNullable<ScalingSpec['schedules']>[number];

type Behavior = NonNullable<ScalingSpec['behavior']>;

/** One number that nothing but the spec changes: there is nothing to decide, and no sleep. */
export interface FixedScaling {
  kind: 'Fixed';
  replicas: number;
}

interface Bounded {
  /** Outside of schedules. */
  minReplicas: number;
  maxReplicas: number;
  schedules: readonly Schedule[];
  /** Silence after which it is put to sleep, as written. */
  idleTimeout: string;
  idleTimeoutMs: number;
}

/** The operator, or an HPA for it, finds the number between two bounds. */
export interface RangeScaling extends Bounded {
  kind: 'Range';
  by: 'Auto' | 'HPA' | 'Internal';
  /** `spec.scaling.target`: requests in flight or queued per replica; absent where it follows from the engine. */
  target: number | undefined;
  behavior: Behavior;
}

/** Whoever writes `/scale` finds the number of a model that is awake. */
export interface ExternalScaling extends Bounded {
  kind: 'External';
  replicas: number;
  /** Whether the spec sets `maxReplicas`. */
  isBounded: boolean;
}

export type ResolvedScaling = FixedScaling | RangeScaling | ExternalScaling;
