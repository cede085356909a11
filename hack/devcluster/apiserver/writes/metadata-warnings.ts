import type { ApiObject } from '../api-object.ts';
import { equal } from '../json.ts';

const STANDARD_FINALIZERS = ['kubernetes', 'orphan', 'foregroundDeletion'];

/** Drops owners that are listed again, with a warning. Changes the object. */
export function dropDoubleOwners({ metadata }: ApiObject, warnings: string[]): void {
  const owners = metadata.ownerReferences;
  if (!Array.isArray(owners)) return;
  const uids = new Set<string>();
  const twice = new Set<string>();
  for (const { uid } of owners) (uids.has(uid) ? twice : uids).add(uid);
  if (twice.size === 0) return;
  warnings.push(
    `.metadata.ownerReferences contains duplicate entries; API server dedups owner references in 1.20+, and may reject such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: ${[...twice].join(', ')}`,
  );
  metadata.ownerReferences = owners.filter(
    (owner, index) => owners.findIndex((other) => equal(other, owner)) === index,
  );
}

/** Warns of new finalizers without a domain, as apiextensions does for custom resources. */
export function warnOfFinalizers(
  { metadata }: ApiObject,
  old: ApiObject | undefined,
  warn: (text: string) => void,
): void {
  const known = [...STANDARD_FINALIZERS, ...(old?.metadata.finalizers ?? [])];
  for (const name of metadata.finalizers ?? []) {
    if (known.includes(name) || name.includes('/')) continue;
    warn(
      `metadata.finalizers: ${JSON.stringify(name)}: prefer a domain-qualified finalizer name to avoid accidental conflicts with other finalizer writers`,
    );
  }
}
