/** Compares a live object with desired fields. */

/**
 * Whether each member of `wanted` is in `live` with the same value; `live` may have more. Lists must have the same length
 * and order, but an empty list may be absent, because the API server drops those of built-in kinds. A false result for
 * equivalent values (such as `1000m` and `1`) costs one request and never hides a change.
 */
export function contains(live: unknown, wanted: unknown): boolean {
  if (Array.isArray(wanted)) {
    if (wanted.length === 0 && live === undefined) {
      return true;
    }
    return (
      Array.isArray(live) &&
      live.length === wanted.length &&
      wanted.every((item, index) => contains(live[index], item))
    );
  }
  if (isRecord(wanted)) {
    return (
      isRecord(live) &&
      Object.entries(wanted).every(([name, value]) => value === undefined || contains(live[name], value))
    );
  }
  return live === wanted;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
