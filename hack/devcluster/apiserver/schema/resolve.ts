import { isObject, type JsonObject, stringAt } from '../json.ts';

/** Looks up a named OpenAPI component; undefined when there is none. */
export type SchemaLookup = (name: string) => JsonObject | undefined;

const PREFIX = '#/components/schemas/';

/** The component that a schema refers to, itself or by a single `allOf`; empty when it is none. */
export function referredName(schema: JsonObject): string {
  const all = schema.allOf;
  const first = Array.isArray(all) && all.length === 1 && isObject(all[0]) ? all[0] : schema;
  return stringAt(first, '$ref').replace(PREFIX, '');
}

/**
 * Follows `$ref` and a single `allOf` (the form in which OpenAPI v3 of built-in kinds refers to a type).
 * Keys next to allOf, such as `default`, are dropped; read them from the unresolved schema.
 */
export function resolveSchema(schema: JsonObject, lookup: SchemaLookup): JsonObject {
  let current = schema;
  for (;;) {
    const ref = stringAt(current, '$ref');
    if (ref.startsWith(PREFIX)) {
      current = lookup(ref.slice(PREFIX.length)) ?? {};
      continue;
    }
    const all = current.allOf;
    const first = Array.isArray(all) ? all[0] : undefined;
    if (Array.isArray(all) && all.length === 1 && isObject(first) && '$ref' in first) {
      current = first;
      continue;
    }
    return current;
  }
}
