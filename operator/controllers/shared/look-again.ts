/** When to look at an object again although nothing changes. */

/** The earliest of some waits, in milliseconds; absent when there is nothing to wait for. */
export function earliest(...waits: readonly (number | undefined)[]): number | undefined {
  const known = waits.filter((wait) => wait !== undefined);
  return known.length > 0 ? Math.min(...known) : undefined;
}

/** What a reconcile returns: after how many milliseconds it is to be called again, if at all. */
export function requeueAfter(wait: number | undefined): { requeueAfterMs: number } | undefined {
  return wait === undefined ? undefined : { requeueAfterMs: wait };
}
