import type { ApiObject } from '../api-object.ts';
import { isObject, type Json, type JsonObject, objectAt, objectsAt, stringAt } from '../json.ts';
import { FieldSet } from './field-set.ts';

/** One entry of metadata.managedFields, decoded. */
export interface ManagedEntry {
  manager: string;
  operation: 'Apply' | 'Update';
  apiVersion: string;
  subresource: string;
  time: string;
  fields: FieldSet;
}

/** Identifies an entry: one for each manager, operation, version and subresource. */
export type ManagerIdentity = Pick<ManagedEntry, 'manager' | 'operation' | 'apiVersion' | 'subresource'>;

/** Fields that the server sets or that identify the object; nobody owns them. */
const UNMANAGED = FieldSet.fromJson({
  'f:apiVersion': {},
  'f:kind': {},
  'f:metadata': {
    '.': {},
    'f:name': {},
    'f:namespace': {},
    'f:creationTimestamp': {},
    'f:selfLink': {},
    'f:uid': {},
    'f:clusterName': {},
    'f:generation': {},
    'f:managedFields': {},
    'f:resourceVersion': {},
  },
});

/** Removes the fields that nobody may own. */
export function stripUnmanaged(set: FieldSet): FieldSet {
  return set.difference(UNMANAGED);
}

/** Whether two identities are the same entry. For Apply entries the version does not matter. */
export function sameManager(a: ManagerIdentity, b: ManagerIdentity): boolean {
  return (
    a.manager === b.manager &&
    a.operation === b.operation &&
    (a.operation === 'Apply' || a.apiVersion === b.apiVersion) &&
    a.subresource === b.subresource
  );
}

/** Reads metadata.managedFields; when one entry is malformed, none counts (emptyManagedFieldsOnErr of apimachinery). */
export function decodeManaged(fields: Json | undefined): ManagedEntry[] {
  const entries = objectsAt({ fields: fields ?? null }, 'fields');
  const sound = entries.every(
    ({ operation, apiVersion, fieldsType }) =>
      (operation === 'Apply' || operation === 'Update') &&
      typeof apiVersion === 'string' &&
      apiVersion !== '' &&
      fieldsType === 'FieldsV1',
  );
  if (!sound) return [];
  return entries.map((entry) => ({
    manager: stringAt(entry, 'manager'),
    operation: entry.operation === 'Apply' ? 'Apply' : 'Update',
    apiVersion: stringAt(entry, 'apiVersion'),
    subresource: stringAt(entry, 'subresource'),
    time: stringAt(entry, 'time'),
    fields: FieldSet.fromJson(objectAt(entry, 'fieldsV1')),
  }));
}

/** Writes entries in the server's order: Apply first, then by time, manager, version, subresource. */
export function encodeManaged(entries: readonly ManagedEntry[]): JsonObject[] {
  const order = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
  return [...entries]
    .filter((entry) => !entry.fields.empty)
    .sort(
      (a, b) =>
        order(a.operation, b.operation) ||
        order(a.time, b.time) ||
        order(a.manager, b.manager) ||
        order(a.apiVersion, b.apiVersion) ||
        order(a.subresource, b.subresource),
    )
    .map((entry) => ({
      manager: entry.manager,
      operation: entry.operation,
      apiVersion: entry.apiVersion,
      ...(entry.time === '' ? {} : { time: entry.time }),
      fieldsType: 'FieldsV1',
      fieldsV1: entry.fields.toJson(),
      ...(entry.subresource === '' ? {} : { subresource: entry.subresource }),
    }));
}

/** The object without metadata.managedFields. */
export function withoutManaged(object: ApiObject): ApiObject {
  const { managedFields: _, ...metadata } = object.metadata;
  return { ...object, metadata };
}

/** The object with these entries; an empty list leaves the field out. */
export function withManaged(object: ApiObject, entries: readonly ManagedEntry[]): ApiObject {
  const bare = withoutManaged(object);
  const managedFields = encodeManaged(entries);
  return managedFields.length === 0 ? bare : { ...bare, metadata: { ...bare.metadata, managedFields } };
}

/**
 * The object without the times of metadata.managedFields: objects that are otherwise equal are not written again
 * (IgnoreManagedFieldsTimestampsTransformer of apiserver).
 */
export function withoutManagedTimes(object: ApiObject): ApiObject {
  const { managedFields = [], ...metadata } = object.metadata;
  const entries = managedFields.map((entry) => (isObject(entry) ? { ...entry, time: null } : entry));
  // They are ordered by time.
  const sorted = entries.map((entry) => JSON.stringify(entry)).sort();
  return { ...object, metadata: { ...metadata, managedFields: sorted } };
}
