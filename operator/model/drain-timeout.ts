import { durationSeconds } from '../values/units.ts';

const DEFAULT = '5m';

/** How long an engine may go on with what it has once it is to end, in seconds: of the first settings that say so. */
export function drainTimeoutSeconds(
  ...settings: readonly ({ drainTimeout?: string | undefined } | undefined)[]
): number {
  return durationSeconds(settings.find((own) => own?.drainTimeout !== undefined)?.drainTimeout ?? DEFAULT);
}
