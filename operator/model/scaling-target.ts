import type { InferenceModel, InferencePool } from '../api/types.ts';
import { DEFAULTS } from '../values/defaults.ts';
import { adaptiveConcurrency } from './adaptive-concurrency.ts';
import type { ResolvedEngine } from './resolved-engine.ts';
import type { ResolvedScaling } from './resolved-scaling.ts';

/**
 * Target number of requests in flight or queued per replica: `scaling.target`, else 70 % of what a replica runs at once. An
 * adaptive limit counts with its maximum. Otherwise requests would queue at it without another replica.
 */
export function scalingTarget(
  scaling: ResolvedScaling,
  { capacity }: Pick<ResolvedEngine, 'capacity'>,
  pool: Pick<InferencePool, 'spec'>,
  model: Pick<InferenceModel, 'spec'>,
): number {
  const own = scaling.kind === 'Range' ? scaling.target : undefined;
  const most = Math.min(capacity, adaptiveConcurrency(pool, model)?.max ?? capacity);
  return own ?? Math.max(1, Math.floor(most * DEFAULTS.scaling.targetUtilization));
}
