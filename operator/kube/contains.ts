/** Whether a live object already has every field that is wanted of it. */

/**
 * True when each member of `wanted` is in `live` with the same value; `live` may have more members. Lists must have the
 * same length and order; an empty one may be absent, because the API server drops those of built-in kinds. A false answer for equal meaning (such as `1000m` and `1`) costs a needless request, never a
 * missed change.
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
