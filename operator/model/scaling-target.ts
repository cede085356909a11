import { DEFAULTS } from '../values/defaults.ts';
import type { ResolvedEngine } from './resolved-engine.ts';
import type { ResolvedScaling } from './resolved-scaling.ts';

/** Target number of requests in flight or queued per replica: `scaling.target`, else 70 % of what a replica runs at once. */
export function scalingTarget(
  scaling: ResolvedScaling,
  { capacity }: Pick<ResolvedEngine, 'capacity'>,
): number {
  const own = scaling.kind === 'Range' ? scaling.target : undefined;
  return own ?? Math.max(1, Math.floor(capacity * DEFAULTS.scaling.targetUtilization));
}
