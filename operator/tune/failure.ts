/** Why a profile could not be measured. */
import { z } from 'zod';

export const FAILURES = {
  refused: 'the pool or the API server refuses the model with these settings',
  'out-of-memory': 'the engine needs more memory than there is',
  'start-failed': 'the engine exits before it is ready',
  'start-timeout': 'the engine was not ready in time',
  'died-under-load': 'the engine ended or lost its readiness while it was measured',
  evicted: 'the pool gave the accelerators to another model',
  removed: 'somebody else deleted the candidate',
} as const;

export const failureSchema = z.strictObject({
  kind: z.enum(Object.keys(FAILURES) as (keyof typeof FAILURES)[]),
  /** Reason of the condition, such as `EngineCrashed`. */
  reason: z.string().max(1024),
  /** The message of the condition, which has the last lines of the log. */
  message: z.string().max(32_768),
  /** Requests a second at which it happened. */
  rate: z.number().min(0).optional(),
});

export type Failure = z.output<typeof failureSchema>;

/** Ends the measurement of a profile, but not the sweep. */
export class ProfileFailedError extends Error {
  readonly code = 'ProfileFailed';
  readonly failure: Failure;

  constructor(failure: Failure) {
    super(`${FAILURES[failure.kind]}: ${failure.reason}: ${failure.message}`);
    this.name = 'ProfileFailedError';
    this.failure = failure;
  }
}
