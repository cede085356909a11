import { DEFAULTS } from '../values/defaults.ts';
import { durationSeconds } from '../values/units.ts';

/** How long a terminating engine may finish its requests, in seconds. The first of the settings that has a value wins. */
export function drainTimeoutSeconds(
  ...settings: readonly ({ drainTimeout?: string | undefined } | undefined)[]
): number {
  const own = settings.find((level) => level?.drainTimeout !== undefined);
  return durationSeconds(own?.drainTimeout ?? DEFAULTS.engine.drainTimeout);
}
