import { clone, isObject, type Json, type JsonObject, objectAt, stringAt } from '../json.ts';

/**
 * Removes fields that a structural schema does not declare. Returns the removed paths. Changes the value.
 * `root`: apiVersion, kind and metadata are never pruned.
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
 * Fills `default` values; they also take the place of nulls where the schema is not nullable. Changes the value
 * (Default of apiextensions).
 */
export function applyDefaults(schema: JsonObject, value: Json): void {
  if (Array.isArray(value)) {
    const items = objectAt(schema, 'items');
    value.forEach((item, index) => {
      if (item === null && items.nullable !== true && items.default !== undefined)
        value[index] = clone(items.default);
      applyDefaults(items, value[index] ?? null);
    });
    return;
  }
  if (!isObject(value)) return;
  for (const [key, property] of Object.entries(objectAt(schema, 'properties'))) {
    if (!isObject(property) || property.default === undefined) continue;
    if (!(key in value) || (value[key] === null && property.nullable !== true))
      value[key] = clone(property.default);
  }
  for (const key of Object.keys(value)) {
    const child = childSchema(schema, key);
    if (!child) continue;
    if (value[key] === null && child.nullable !== true && child.default !== undefined)
      value[key] = clone(child.default);
    applyDefaults(child, value[key] ?? null);
  }
}

/** Removes nulls that are neither nullable nor replaced by a default (PruneNonNullableNullsWithoutDefaults). */
export function dropNulls(schema: JsonObject, value: Json): void {
  if (Array.isArray(value)) {
    for (const item of value) dropNulls(objectAt(schema, 'items'), item);
    return;
  }
  if (!isObject(value)) return;
  for (const [key, child] of Object.entries(value)) {
    const found = childSchema(schema, key);
    if (!found) continue;
    if (child === null && found.nullable !== true && found.default === undefined) delete value[key];
    else dropNulls(found, child);
  }
}

function childSchema(schema: JsonObject, key: string): JsonObject | undefined {
  const property = objectAt(schema, 'properties')[key];
  if (isObject(property)) return property;
  const additional = schema.additionalProperties;
  return isObject(additional) ? additional : undefined;
}

/** The structural type name of a schema, `int-or-string` included. */
export function structuralType(schema: JsonObject): string {
  if (schema['x-kubernetes-int-or-string'] === true) return 'int-or-string';
  return stringAt(schema, 'type');
}
