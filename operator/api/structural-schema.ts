/** Converts zod schemas to structural schemas of CustomResourceDefinitions. */
import { z } from 'zod';
import type { ValidationRule } from '../values/rule.ts';

/** The used part of a structural schema. */
export interface StructuralSchema {
  type?: 'object' | 'array' | 'string' | 'integer' | 'boolean';
  description?: string;
  format?: string;
  default?: unknown;
  enum?: unknown[];
  pattern?: string;
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
  minItems?: number;
  maxItems?: number;
  maxProperties?: number;
  anyOf?: { type: string }[];
  items?: StructuralSchema;
  additionalProperties?: StructuralSchema;
  properties?: Record<string, StructuralSchema>;
  required?: string[];
  'x-kubernetes-int-or-string'?: true;
  'x-kubernetes-preserve-unknown-fields'?: true;
  'x-kubernetes-list-type'?: 'atomic' | 'set' | 'map';
  'x-kubernetes-list-map-keys'?: string[];
  'x-kubernetes-validations'?: ValidationRule[];
}

type JsonSchema = Record<string, unknown>;

/** Keywords that are copied unchanged, in output order. */
const KEPT = [
  'pattern',
  'minLength',
  'maxLength',
  'minItems',
  'maxItems',
  'maxProperties',
] as const satisfies (keyof StructuralSchema)[];
const EXTENSIONS = [
  'x-kubernetes-list-type',
  'x-kubernetes-list-map-keys',
  'x-kubernetes-validations',
] as const satisfies (keyof StructuralSchema)[];
const UNDERSTOOD = new Set<string>([
  ...KEPT,
  ...EXTENSIONS,
  ...['type', 'description', 'format', 'default', 'enum', 'minimum', 'maximum', 'anyOf', 'items'],
  ...['properties', 'required', 'additionalProperties'],
]);

const INT32_MAX = 2147483647;

/** Converts a zod schema in its input form. Throws, with the path, if a structural schema cannot express it. */
export function structuralSchema(schema: z.ZodType): StructuralSchema {
  return convert(z.toJSONSchema(schema, { target: 'openapi-3.0', io: 'input' }), '');
}

function convert(source: JsonSchema, path: string): StructuralSchema {
  for (const keyword of Object.keys(source)) {
    if (!UNDERSTOOD.has(keyword)) throw unsupported(path, keyword, source[keyword]);
  }
  const head: StructuralSchema = {
    ...(typeof source.description === 'string' ? { description: source.description } : {}),
    ...('default' in source ? { default: source.default } : {}),
  };
  if (source.anyOf !== undefined) return { ...intOrString(source, path), ...head };
  const result: StructuralSchema = { type: typeOf(source, path), ...head };
  if (typeof source.format === 'string') result.format = source.format;
  if (Array.isArray(source.enum)) result.enum = source.enum;
  for (const keyword of KEPT) copy(source, result, keyword);
  if (result.pattern !== undefined) result.pattern = result.pattern.replaceAll('\\/', '/');
  if (result.type === 'integer') integerBounds(source, result);
  if (result.type === 'array') {
    result.items = convert(asSchema(source.items), `${path}[]`);
    result['x-kubernetes-list-type'] = 'atomic';
  }
  if (result.type === 'object') objectParts(source, result, path);
  for (const keyword of EXTENSIONS) copy(source, result, keyword);
  return result;
}

/**
 * A union of an integer and a string such as `auto`. The bounds of both can be combined, because each applies only to its
 * own type.
 */
function intOrString(source: JsonSchema, path: string): StructuralSchema {
  const members = (source.anyOf as JsonSchema[]).map((member) => asSchema(member));
  const integer = members.find((member) => member.type === 'integer');
  const words = members.find((member) => member.type === 'string')?.enum;
  if (members.length !== 2 || integer === undefined || !Array.isArray(words))
    throw unsupported(path, 'anyOf', source.anyOf);
  const bounds: StructuralSchema = {};
  integerBounds(integer, bounds);
  delete bounds.format;
  return {
    'x-kubernetes-int-or-string': true,
    anyOf: [{ type: 'integer' }, { type: 'string' }],
    pattern: `^(${words.join('|')})$`,
    ...bounds,
  };
}

function integerBounds(source: JsonSchema, result: StructuralSchema): void {
  const { minimum, maximum } = source;
  if (typeof minimum === 'number' && Number.isSafeInteger(minimum - 1)) result.minimum = minimum;
  if (typeof maximum === 'number' && Number.isSafeInteger(maximum + 1)) result.maximum = maximum;
  if (result.enum === undefined) {
    result.format = result.maximum !== undefined && result.maximum <= INT32_MAX ? 'int32' : 'int64';
  }
}

function objectParts(source: JsonSchema, result: StructuralSchema, path: string): void {
  const properties = Object.entries(asSchema(source.properties ?? {}));
  const additional = source.additionalProperties;
  if (properties.length > 0) {
    result.properties = Object.fromEntries(
      properties.map(([name, property]) => [name, convert(asSchema(property), `${path}.${name}`)]),
    );
    if (Array.isArray(source.required) && source.required.length > 0) result.required = source.required;
  } else if (additional === undefined || additional === false) {
    result.properties = {};
  } else if (Object.keys(asSchema(additional)).length === 0) {
    result['x-kubernetes-preserve-unknown-fields'] = true;
  } else {
    result.additionalProperties = convert(asSchema(additional), `${path}{}`);
  }
}

function typeOf(source: JsonSchema, path: string): NonNullable<StructuralSchema['type']> {
  const { type } = source;
  if (type === 'number' && Array.isArray(source.enum) && source.enum.every(Number.isInteger))
    return 'integer';
  if (type === 'object' || type === 'array' || type === 'string' || type === 'integer' || type === 'boolean')
    return type;
  throw unsupported(path, 'type', type);
}

function copy<K extends keyof StructuralSchema>(
  source: JsonSchema,
  result: StructuralSchema,
  keyword: K,
): void {
  const value = source[keyword] as StructuralSchema[K] | undefined;
  if (value === undefined || (Array.isArray(value) && value.length === 0)) return;
  result[keyword] = value;
}

function asSchema(value: unknown): JsonSchema {
  return value as JsonSchema;
}

function unsupported(path: string, keyword: string, value: unknown): Error {
  return new TypeError(
    `${path || 'the schema'}: ${keyword} ${JSON.stringify(value)} has no place in a structural schema; describe the field otherwise`,
  );
}
