import { isObject, type Json, type JsonObject, objectAt, stringAt } from '../json.ts';

const RESERVED = new Set(
  'true false null in as break const continue else for function if import let loop package namespace return var void while'.split(
    ' ',
  ),
);

/** A property's name as rules write it: `__dot__`, `__dash__`, … and reserved words in underscores. */
export function escapeName(name: string): string | undefined {
  if (RESERVED.has(name)) return `__${name}__`;
  const escaped = name
    .replaceAll('__', '__underscores__')
    .replaceAll('.', '__dot__')
    .replaceAll('-', '__dash__')
    .replaceAll('/', '__slash__');
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(escaped) ? escaped : undefined;
}

/** A JSON value as CEL sees it by its schema: integers as bigint, times and durations parsed, names escaped. */
export function toCel(schema: JsonObject, value: Json): unknown {
  if (value === null) return null;
  if (Array.isArray(value)) return value.map((item) => toCel(objectAt(schema, 'items'), item));
  if (isObject(value)) return objectToCel(schema, value);
  if (typeof value === 'number') return isInteger(schema, value) ? BigInt(value) : value;
  if (typeof value === 'string' && (schema.format === 'date-time' || schema.format === 'date'))
    return new Date(value);
  return value;
}

function isInteger(schema: JsonObject, value: number): boolean {
  const type = stringAt(schema, 'type');
  return Number.isInteger(value) && type !== 'number';
}

function objectToCel(schema: JsonObject, value: JsonObject): Record<string, unknown> {
  const properties = objectAt(schema, 'properties');
  const additional = schema.additionalProperties;
  const out: Record<string, unknown> = {};
  for (const [key, child] of Object.entries(value)) {
    const property = properties[key];
    if (isObject(property)) {
      const name = escapeName(key);
      if (name !== undefined) out[name] = toCel(property, child);
    } else out[key] = toCel(isObject(additional) ? additional : {}, child);
  }
  return out;
}
