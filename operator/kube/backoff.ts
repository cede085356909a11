/** Exponential backoff with jitter, so that clients do not retry at the same time. */

export interface BackoffOptions {
  /** First delay in milliseconds. */
  baseMs: number;
  /** Longest delay in milliseconds. */
  capMs: number;
  /** Returns a number in [0, 1). */
  random: () => number;
}

/** The delay before attempt `failures` + 1: between half and all of `base × 2^failures`, up to the cap. */
export function backoffDelay(failures: number, { baseMs, capMs, random }: BackoffOptions): number {
  const full = Math.min(capMs, baseMs * 2 ** Math.min(failures, 52));
  return full * (0.5 + 0.5 * random());
}
