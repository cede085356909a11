/** What one look at a model's scaling is made of. */
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
  /** What its spec comes to there; it may have faults, while engines of an earlier spec run. */
  resolution: Resolution;
  poolKey: Key;
  deployment: Deployment;
  pods: readonly Pod[];
  health: EngineHealth;
  demand: Demand;
  /** `spec.replicas`, the operator's own last write included. */
  replicas: number;
  /** Monotonic milliseconds. */
  now: number;
  /** Bounds in force now, schedules included. */
  minReplicas: number;
  maxReplicas: number;
  /** When the bounds change by themselves, in milliseconds from now. */
  boundsChangeMs: number | undefined;
}

export interface ScalingContext {
  signal: AbortSignal;
  log: Logger;
}
