/** Order of resource versions, which are comparable integers since Kubernetes 1.35 (KEP-5504) and were so in fact before. */

/**
 * Negative when `a` is older than `b`, positive when newer, 0 when equal. Decimal strings compare by length, then by
 * characters: no number type needed. The empty string is older than every version.
 */
export function compareResourceVersions(a: string, b: string): number {
  if (a.length !== b.length) {
    return a.length - b.length;
  }
  return a < b ? -1 : a > b ? 1 : 0;
}
