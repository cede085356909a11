import type { InferencePool } from '../api/types.ts';
import { durationSeconds } from '../values/units.ts';
import { drainTimeoutSeconds } from './drain-timeout.ts';

/**
 * A bound for what routers cannot know ahead: models set a `drainTimeout` of their own, and must not restart the routers of
 * their pool with it.
 */
const LEAST_SECONDS = 3_600;

/**
 * How long a router that is told to stop may go on, in seconds: a request that it holds waits for its model, and then has
 * the time that running requests have. It ends as soon as nothing is under way.
 */
export function routerDrainSeconds({ spec }: Pick<InferencePool, 'spec'>): number {
  const wake = durationSeconds(spec.admission.wakeTimeout);
  const drain = drainTimeoutSeconds(spec.engine);
  return Math.max(LEAST_SECONDS, Math.ceil(wake + drain));
}
