import type { ApiObject } from '../api-object.ts';
import { type Json, type JsonObject, stringAt } from '../json.ts';
import type { FieldSet } from './field-set.ts';
import { type ManagedEntry, withoutManaged } from './managed-fields.ts';
import type { ManagedWrite } from './managed-write.ts';
import { compareValues, fieldSetOf } from './typed-value.ts';

const ANNOTATION = 'kubectl.kubernetes.io/last-applied-configuration';
/** The manager of `kubectl apply --server-side`. The annotation counts for this manager only. */
const KUBECTL = 'kubectl';

/** Fields of another manager that an apply changes. */
export interface FieldConflict {
  entry: ManagedEntry;
  fields: FieldSet;
}

/**
 * The conflicts that remain. kubectl may take over fields that it applied with client-side apply: those in its annotation
 * whose values have not changed since.
 */
export function withoutAllowed(
  live: ApiObject,
  write: ManagedWrite,
  conflicts: FieldConflict[],
): FieldConflict[] {
  const text = stringAt(live.metadata, 'annotations', ANNOTATION);
  if (write.identity.manager !== KUBECTL || text === '') return conflicts;
  const last = JSON.parse(text) as JsonObject;
  const change = compareValues(write.type, last, withoutManaged(live));
  const differs = change.added.union(change.modified).union(change.removed);
  const allowed = fieldSetOf(write.type, last).difference(differs);
  return conflicts
    .map(({ entry, fields }) => ({ entry, fields: fields.difference(allowed) }))
    .filter(({ fields }) => !fields.empty);
}

/** Updates the annotation of objects that have it, so that a later client-side apply finds what was applied last. */
export function syncLastApplied(object: ApiObject, config: ApiObject, write: ManagedWrite): ApiObject {
  const annotations = object.metadata.annotations;
  if (write.identity.manager !== KUBECTL || annotations?.[ANNOTATION] === undefined) return object;
  const text = `${JSON.stringify(sorted(config))}\n`;
  return { ...object, metadata: { ...object.metadata, annotations: { ...annotations, [ANNOTATION]: text } } };
}

/** With keys in order, as Go writes maps. */
function sorted(value: Json): Json {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((key) => [key, sorted(value[key] ?? null)]),
  );
}
