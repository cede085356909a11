/** How a model scales, with all defaults. */
import type { InferenceModelSpec } from '../api/inference-model.ts';

export type ScalingSpec = NonNullable<InferenceModelSpec['scaling']>;

/** A time window with its own bounds. Its expressions and time zone are valid. */
export type Schedule = NonNullable<ScalingSpec['schedules']>[number];

type Behavior = NonNullable<ScalingSpec['behavior']>;

/** A number of replicas that only the spec changes. The model never sleeps. */
export interface FixedScaling {
  kind: 'Fixed';
  replicas: number;
}

interface Bounded {
  /** Bounds outside of schedules. */
  minReplicas: number;
  maxReplicas: number;
  schedules: readonly Schedule[];
  /** Time without requests after which the model sleeps, as written in the spec. */
  idleTimeout: string;
  idleTimeoutMs: number;
}

/** The operator or its HPA chooses the number between two bounds. */
export interface RangeScaling extends Bounded {
  kind: 'Range';
  by: 'Auto' | 'HPA' | 'Internal';
  /** `spec.scaling.target`: requests in flight or queued per replica; absent if it is derived from the engine. */
  target: number | undefined;
  behavior: Behavior;
}

/** Whatever writes the scale subresource chooses the number while the model is awake. */
export interface ExternalScaling extends Bounded {
  kind: 'External';
  replicas: number;
  /** Whether the spec sets `maxReplicas`. */
  isBounded: boolean;
}

export type ResolvedScaling = FixedScaling | RangeScaling | ExternalScaling;
