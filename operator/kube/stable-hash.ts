/** Hashes of JSON values that do not depend on the order of keys. */
import { createHash } from 'node:crypto';

/** JSON with sorted keys. Undefined members are omitted, as in JSON.stringify. */
export function stableStringify(value: unknown): string {
  if (Array.isArray(value)) {
    return `[${value.map((item) => stableStringify(item ?? null)).join(',')}]`;
  }
  if (typeof value !== 'object' || value === null) {
    return JSON.stringify(value) ?? 'null';
  }
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, member]) => `${JSON.stringify(name)}:${stableStringify(member)}`);
  return `{${members.join(',')}}`;
}

/** The first 16 hex digits of the SHA-256 of a JSON value. */
export function stableHash(value: unknown): string {
  return createHash('sha256').update(stableStringify(value)).digest('hex').slice(0, 16);
}
