/** Order of resource versions. They are comparable integers since Kubernetes 1.35 (KEP-5504), and in practice were before. */

/**
 * Negative if `a` is older than `b`, positive if newer, 0 if equal. Decimal strings are compared by length, then by
 * characters, so they need not fit a number. The empty string is older than every version.
 */
export function compareResourceVersions(a: string, b: string): number {
  if (a.length !== b.length) {
    return a.length - b.length;
  }
  return a < b ? -1 : a > b ? 1 : 0;
}
