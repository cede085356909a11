/** Any JSON value. */
export type Json = null | boolean | number | string | Json[] | JsonObject;

/** A JSON object; absent keys read as undefined. */
export interface JsonObject {
  [key: string]: Json;
}

/** Whether a value is an object, and not an array, null or a scalar. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The value if it is an object, else an empty one: for reading through optional parts of an object. */
export function objectAt(parent: JsonObject | undefined, ...path: string[]): JsonObject {
  let value: Json | undefined = parent;
  for (const key of path) value = isObject(value) ? value[key] : undefined;
  return isObject(value) ? value : {};
}

/** The value at a path, undefined where a part is missing. */
export function valueAt(parent: Json | undefined, ...path: string[]): Json | undefined {
  let value: Json | undefined = parent;
  for (const key of path) value = isObject(value) ? value[key] : undefined;
  return value;
}

/** The array at a path, empty where there is none. */
export function arrayAt(parent: Json | undefined, ...path: string[]): Json[] {
  const value = valueAt(parent, ...path);
  return Array.isArray(value) ? value : [];
}

/** The string at a path, empty where there is none. */
export function stringAt(parent: Json | undefined, ...path: string[]): string {
  const value = valueAt(parent, ...path);
  return typeof value === 'string' ? value : '';
}

/** The number at a path, undefined where there is none. */
export function numberAt(parent: Json | undefined, ...path: string[]): number | undefined {
  const value = valueAt(parent, ...path);
  return typeof value === 'number' ? value : undefined;
}

/** The objects among the items of the array at a path. */
export function objectsAt(parent: Json | undefined, ...path: string[]): JsonObject[] {
  return arrayAt(parent, ...path).filter(isObject);
}

/** The strings among the items of the array at a path. */
export function stringsAt(parent: Json | undefined, ...path: string[]): string[] {
  return arrayAt(parent, ...path).filter((item) => typeof item === 'string');
}

/** Gets the object under a key, making it where it is missing. */
export function ensureObject(parent: JsonObject, key: string): JsonObject {
  const value = parent[key];
  if (isObject(value)) return value;
  const made: JsonObject = {};
  parent[key] = made;
  return made;
}

/** Sets a key that has no value yet. */
export function setDefault(parent: JsonObject, key: string, value: Json): void {
  if (parent[key] === undefined || parent[key] === null) parent[key] = value;
}

/** Deep copy; faster than structuredClone for JSON. */
export function clone<T extends Json>(value: T): T {
  return copy(value) as T;
}

function copy(value: Json): Json {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(copy);
  const out: JsonObject = {};
  for (const key of Object.keys(value)) out[key] = copy(value[key] as Json);
  return out;
}

/** Deep equality of JSON; the order of keys does not count. */
export function equal(a: Json | undefined, b: Json | undefined): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (a === undefined || b === undefined) return false;
  if (Array.isArray(a) || Array.isArray(b)) {
    if (!Array.isArray(a) || !Array.isArray(b) || a.length !== b.length) return false;
    return a.every((item, index) => equal(item, b[index]));
  }
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length) return false;
  return keys.every((key) => key in b && equal(a[key], b[key]));
}

/** The Go type that JSON is read as. */
export function goTypeOf(value: Json): string {
  if (value === null) return '<nil>';
  if (Array.isArray(value)) return '[]interface {}';
  if (typeof value === 'number') return Number.isInteger(value) ? 'int64' : 'float64';
  if (typeof value === 'boolean') return 'bool';
  return isObject(value) ? 'map[string]interface {}' : 'string';
}
