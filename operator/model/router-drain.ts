import type { InferencePool } from '../api/types.ts';
import { durationSeconds } from '../values/units.ts';
import { drainTimeoutSeconds } from './drain-timeout.ts';

/** Lower limit, because models set their own `drainTimeout`, and a change of one must not restart the routers of its pool. */
const MIN_SECONDS = 3_600;

/**
 * How long a terminating router may finish its requests, in seconds: a request may wait for its model to wake and then run
 * for the drain timeout. The router exits as soon as it has no requests.
 */
export function routerDrainSeconds({ spec }: Pick<InferencePool, 'spec'>): number {
  const wake = durationSeconds(spec.admission.wakeTimeout);
  const drain = drainTimeoutSeconds(spec.engine);
  return Math.max(MIN_SECONDS, Math.ceil(wake + drain));
}
