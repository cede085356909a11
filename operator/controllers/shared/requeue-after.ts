/** Delays after which a reconcile has to run again although no watched object has changed. */

/** The shortest of the delays in milliseconds; undefined if there is none. */
export function earliest(...waits: readonly (number | undefined)[]): number | undefined {
  const known = waits.filter((wait) => wait !== undefined);
  return known.length > 0 ? Math.min(...known) : undefined;
}

/** The result of a reconcile that has to run again after `wait` milliseconds; undefined if it does not. */
export function requeueAfter(wait: number | undefined): { requeueAfterMs: number } | undefined {
  return wait === undefined ? undefined : { requeueAfterMs: wait };
}
