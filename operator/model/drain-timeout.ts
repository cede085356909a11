import { DEFAULTS } from '../values/defaults.ts';
import { durationSeconds } from '../values/units.ts';

/** How long an engine may go on with what it has once it is to end, in seconds: of the first settings that say so. */
export function drainTimeoutSeconds(
  ...settings: readonly ({ drainTimeout?: string | undefined } | undefined)[]
): number {
  const own = settings.find((level) => level?.drainTimeout !== undefined);
  return durationSeconds(own?.drainTimeout ?? DEFAULTS.engine.drainTimeout);
}
