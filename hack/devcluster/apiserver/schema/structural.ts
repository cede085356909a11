import { clone, isObject, type Json, type JsonObject, objectAt, setDefault, stringAt } from '../json.ts';

/**
 * Removes what a structural schema does not know. Returns the removed paths. Changes the value.
 * `root`: apiVersion, kind and metadata are always kept.
 */
export function prune(schema: JsonObject, value: Json, root = true): string[] {
  const removed: string[] = [];
  pruneAt(schema, value, '', root, removed);
  return removed;
}

function pruneAt(schema: JsonObject, value: Json, path: string, root: boolean, removed: string[]): void {
  if (Array.isArray(value)) {
    const items = objectAt(schema, 'items');
    value.forEach((item, index) => {
      pruneAt(items, item, `${path}[${index}]`, false, removed);
    });
    return;
  }
  if (!isObject(value)) return;
  const embedded = root || schema['x-kubernetes-embedded-resource'] === true;
  const preserves = schema['x-kubernetes-preserve-unknown-fields'] === true;
  const additional = schema.additionalProperties;
  const properties = objectAt(schema, 'properties');
  for (const key of Object.keys(value)) {
    if (embedded && (key === 'apiVersion' || key === 'kind' || key === 'metadata')) continue;
    const at = path === '' ? key : `${path}.${key}`;
    const child = value[key] as Json;
    const property = properties[key];
    if (isObject(property)) pruneAt(property, child, at, false, removed);
    else if (isObject(additional)) pruneAt(additional, child, at, false, removed);
    else if (!preserves && additional !== true) {
      delete value[key];
      removed.push(at);
    }
  }
}

/**
 * Fills `default` values. Nulls of fields that are not nullable and have a default are replaced, as
 * kube-apiserver does. Changes the value.
 */
export function applyDefaults(schema: JsonObject, value: Json): void {
  if (Array.isArray(value)) {
    const items = objectAt(schema, 'items');
    for (const item of value) applyDefaults(items, item);
    return;
  }
  if (!isObject(value)) return;
  const properties = objectAt(schema, 'properties');
  for (const [key, property] of Object.entries(properties)) {
    if (!isObject(property)) continue;
    if (property.default !== undefined) {
      if (value[key] === null && property.nullable !== true) delete value[key];
      if (!(key in value)) setDefault(value, key, clone(property.default));
    }
    const child = value[key];
    if (child !== undefined) applyDefaults(property, child);
  }
  const additional = schema.additionalProperties;
  if (!isObject(additional)) return;
  for (const [key, child] of Object.entries(value))
    if (!(key in properties)) applyDefaults(additional, child);
}

/** Removes nulls of fields that are neither nullable nor kept otherwise (apiextensions PruneNonNullableNulls). */
export function dropNulls(schema: JsonObject, value: Json): void {
  if (Array.isArray(value)) {
    for (const item of value) dropNulls(objectAt(schema, 'items'), item);
    return;
  }
  if (!isObject(value)) return;
  for (const [key, property] of Object.entries(objectAt(schema, 'properties'))) {
    if (!isObject(property)) continue;
    const child = value[key];
    if (child === null && property.nullable !== true) delete value[key];
    else if (child !== undefined) dropNulls(property, child);
  }
}

/** The structural type name of a schema, `int-or-string` included. */
export function structuralType(schema: JsonObject): string {
  if (schema['x-kubernetes-int-or-string'] === true) return 'int-or-string';
  return stringAt(schema, 'type');
}
