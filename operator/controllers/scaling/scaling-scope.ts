/** The inputs of one reconcile of a model's scaling. */
import type { InferenceModel, InferencePool } from '../../api/types.ts';
import type { Key } from '../../kube/key.ts';
import type { Logger } from '../../kube/logger.ts';
import type { Resolution } from '../../model/resolved-model.ts';
import type { Demand } from '../../scaling/demand.ts';
import type { EngineHealth } from '../model/engine-health.ts';
import type { Deployment, Pod } from '../shared/workloads.ts';

export interface ScalingScope {
  model: InferenceModel;
  uid: string;
  pool: InferencePool;
  /** The resolved spec. It may be invalid while engines of an earlier spec run. */
  resolution: Resolution;
  poolKey: Key;
  deployment: Deployment;
  pods: readonly Pod[];
  health: EngineHealth;
  demand: Demand;
  /** `spec.replicas`, including the operator's own last write. */
  replicas: number;
  /** Monotonic milliseconds. */
  now: number;
  /** Bounds in force, including schedules. */
  minReplicas: number;
  maxReplicas: number;
  /** Time until a schedule changes the bounds, in milliseconds. */
  boundsChangeMs: number | undefined;
}

export interface ScalingContext {
  signal: AbortSignal;
  log: Logger;
}
