import type { InferenceModel } from '../api/types.ts';
import type { ResolvedEngine } from './resolved-engine.ts';

/** Share of what a replica runs at once: a new one is up before the others are full. Knative's target utilization. */
const UTILIZATION = 0.7;

/** Requests in flight or queued that each replica is to have: `scaling.target`, else 70 % of what it runs at once. */
export function scalingTarget(
  model: InferenceModel,
  engine: Pick<ResolvedEngine, 'maxNumSeqs' | 'dataParallelSize'>,
): number {
  const capacity = engine.maxNumSeqs * engine.dataParallelSize;
  return model.spec.scaling?.target ?? Math.max(1, Math.floor(capacity * UTILIZATION));
}
