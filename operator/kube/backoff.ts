/** Growing waits between attempts, with jitter so that many clients don't come back together. */

export interface BackoffOptions {
  /** First wait in milliseconds. */
  baseMs: number;
  /** No wait is longer than this. */
  capMs: number;
  /** Returns a number in [0, 1). */
  random: () => number;
}

/** The wait before attempt `failures` + 1: between half and all of `base × 2^failures`, at most the cap. */
export function backoffDelay(failures: number, { baseMs, capMs, random }: BackoffOptions): number {
  const full = Math.min(capMs, baseMs * 2 ** Math.min(failures, 52));
  return full * (0.5 + 0.5 * random());
}
