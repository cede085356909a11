import type { Faults } from '../faults.ts';
import {
  equal,
  isObject,
  type Json,
  type JsonObject,
  objectAt,
  objectsAt,
  stringAt,
  stringsAt,
} from '../json.ts';
import { words } from '../words.ts';
import { ruleFaults } from './rule-faults.ts';

type Level = 'root' | 'item' | 'field';

const TYPES = ['array', 'boolean', 'integer', 'number', 'object', 'string'];
const UNSUPPORTED = ['id', 'additionalItems', 'patternProperties', 'definitions', 'dependencies', '$ref'];
const LIST_TYPES = ['atomic', 'set', 'map'];
const MAP_TYPES = ['atomic', 'granular'];
/** What a schema below anyOf, allOf, oneOf and not may not have, to be structural. */
const FORBIDDEN_NESTED = words(`type default title description nullable x-kubernetes-preserve-unknown-fields
  x-kubernetes-embedded-resource x-kubernetes-int-or-string x-kubernetes-list-map-keys
  x-kubernetes-list-type x-kubernetes-map-type x-kubernetes-validations`);
const INT_OR_STRING: Json = [{ type: 'integer' }, { type: 'string' }];
const EMPTY: Readonly<Record<Level, string>> = {
  root: 'must not be empty at the root',
  item: 'must not be empty for specified array items',
  field: 'must not be empty for specified object fields',
};

/** The schemas of items, properties and additional properties, with their keys. */
export function children(schema: JsonObject): [child: JsonObject, key: string, level: Level][] {
  const out: [JsonObject, string, Level][] = [];
  if (isObject(schema.items)) out.push([schema.items, 'items', 'item']);
  for (const [key, property] of Object.entries(objectAt(schema, 'properties')))
    if (isObject(property)) out.push([property, `properties[${key}]`, 'field']);
  const additional = schema.additionalProperties;
  if (isObject(additional)) out.push([additional, 'additionalProperties', 'field']);
  return out;
}

/**
 * What keeps a schema from being structural: completeness, and what stands below anyOf, allOf, oneOf and not
 * (ValidateStructural of apiextensions).
 */
export function structuralFaults(faults: Faults, schema: JsonObject, level: Level = 'root'): void {
  const type = stringAt(schema, 'type');
  const intOrString = schema['x-kubernetes-int-or-string'] === true;
  const preserves = schema['x-kubernetes-preserve-unknown-fields'] === true;
  const embedded = schema['x-kubernetes-embedded-resource'] === true;
  const additional = schema.additionalProperties;
  if (type === 'array' && !isObject(schema.items)) faults.required('items', 'must be specified');
  if (intOrString && preserves) {
    const why = 'must be false if x-kubernetes-int-or-string is true';
    faults.invalid('x-kubernetes-preserve-unknown-fields', true, why);
  }
  if (embedded && type !== 'object')
    faults.wrong('type', type, 'must be object if x-kubernetes-embedded-resource is true');
  else if (type === '' && !intOrString && !preserves) faults.required('type', EMPTY[level]);
  if (level === 'root') {
    if (type !== '' && type !== 'object') faults.invalid('type', type, 'must be object at the root');
    if (isObject(additional)) faults.forbidden('additionalProperties', 'must not be used at the root');
  }
  if (level === 'root' || embedded) metaFaults(faults, objectAt(schema, 'properties'), level);
  valueFaults(faults, schema, intOrString);
  patternFaults(faults, stringAt(schema, 'pattern'));
  for (const [child, key, below] of children(schema)) structuralFaults(faults.at(key), child, below);
}

function metaFaults(faults: Faults, properties: JsonObject, level: Level): void {
  for (const key of ['kind', 'apiVersion']) {
    const property = properties[key];
    if (isObject(property) && property.type !== 'string')
      faults.invalid(`properties[${key}].type`, property.type ?? '', 'must be string');
  }
  const { metadata } = properties;
  if (!isObject(metadata)) return;
  const { type = '', properties: named, default: _, ...rest } = metadata;
  if (type !== 'object') faults.invalid('properties[metadata].type', type, 'must be object');
  const odd = Object.keys(isObject(named) ? named : {}).filter(
    (key) => !['name', 'generateName'].includes(key),
  );
  if (level !== 'root' || odd.length + Object.keys(rest).length === 0) return;
  const why =
    'must not specify anything other than name and generateName, but metadata is implicitly specified';
  faults.forbidden('properties[metadata]', why);
}

function patternFaults(faults: Faults, pattern: string): void {
  try {
    RegExp(pattern);
  } catch (error) {
    faults.invalid('pattern', pattern, `must be a valid regular expression, but isn't: ${String(error)}`);
  }
}

/** Schemas below anyOf, allOf, oneOf and not; the two ways to write int-or-string are allowed. */
function valueFaults(faults: Faults, schema: JsonObject, intOrString: boolean): void {
  const nested = (key: string): void =>
    faults.each(key, objectsAt(schema, key), (at, each) => {
      nestedFaults(at, each, key === 'allOf' && intOrString && each === objectsAt(schema, key)[0]);
    });
  if (!(intOrString && equal(schema.anyOf, INT_OR_STRING))) nested('anyOf');
  nested('allOf');
  nested('oneOf');
  if (isObject(schema.not)) nestedFaults(faults.at('not'), schema.not, false);
}

function nestedFaults(faults: Faults, schema: JsonObject, intOrString: boolean): void {
  valueFaults(faults, schema, intOrString);
  for (const key of FORBIDDEN_NESTED)
    if (schema[key] !== undefined && !(key.endsWith('validations') && faults.path.includes('.allOf[')))
      faults.forbidden(key, 'must be empty to be structural');
  if (isObject(objectAt(schema, 'properties').metadata))
    faults.forbidden('properties[metadata]', 'must not be specified in a nested context');
  for (const [child, key] of children(schema)) nestedFaults(faults.at(key), child, false);
}

/**
 * What the rest of the checks of a definition's schema finds: types, list and map extensions, and the form of rules
 * (ValidateCustomResourceDefinitionOpenAPISchema of apiextensions).
 */
export function schemaFaults(faults: Faults, schema: JsonObject): void {
  const type = stringAt(schema, 'type');
  if (type !== '' && !TYPES.includes(type)) faults.unsupported('type', type, TYPES);
  for (const key of UNSUPPORTED)
    if (schema[key] !== undefined) faults.forbidden(key, `${key} is not supported`);
  if (schema.uniqueItems === true) {
    const why = 'uniqueItems cannot be set to true since the runtime complexity becomes quadratic';
    faults.forbidden('uniqueItems', why);
  }
  if (Object.keys(objectAt(schema, 'properties')).length > 0 && isObject(schema.additionalProperties))
    faults.forbidden('additionalProperties', 'additionalProperties and properties are mutual exclusive');
  if (schema['x-kubernetes-preserve-unknown-fields'] === false)
    faults.invalid('x-kubernetes-preserve-unknown-fields', false, 'must be true or undefined');
  mapTypeFaults(faults, schema, type);
  listTypeFaults(faults, schema, type);
  ruleFaults(faults, schema);
  for (const [child, key] of children(schema)) schemaFaults(faults.at(key), child);
}

function mapTypeFaults(faults: Faults, schema: JsonObject, type: string): void {
  const mapType = schema['x-kubernetes-map-type'];
  if (mapType === undefined) return;
  if (type !== 'object') faults.wrong('type', type, 'must be object if x-kubernetes-map-type is specified');
  if (!MAP_TYPES.includes(String(mapType))) faults.unsupported('x-kubernetes-map-type', mapType, MAP_TYPES);
}

function listTypeFaults(faults: Faults, schema: JsonObject, type: string): void {
  const key = 'x-kubernetes-list-type';
  const listType = schema[key];
  const items = objectAt(schema, 'items');
  const keys = stringsAt(schema, 'x-kubernetes-list-map-keys');
  if (listType !== undefined && type !== 'array')
    faults.wrong('type', type, `must be array if ${key} is specified`);
  else if (listType === 'set') setFaults(faults.at('items'), items);
  if (listType !== undefined && !LIST_TYPES.includes(String(listType)))
    faults.unsupported(key, listType, LIST_TYPES);
  if (keys.length > 0 && listType !== 'map')
    faults.wrong(key, listType, 'must be map if x-kubernetes-list-map-keys is non-empty');
  if (listType === 'map') mapKeyFaults(faults, schema, keys);
  if ((listType === 'map' || listType === 'set') && items.nullable === true)
    faults.forbidden('items.nullable', `cannot be nullable when ${key} is ${listType}`);
}

function setFaults(faults: Faults, items: JsonObject): void {
  const extension = items.type === 'array' ? 'x-kubernetes-list-type' : 'x-kubernetes-map-type';
  const inner = items[extension];
  const granular = items.type === 'object' ? inner !== 'atomic' : inner !== undefined && inner !== 'atomic';
  if ((items.type === 'array' || items.type === 'object') && granular)
    faults.invalid(extension, inner, 'must be atomic as item of a list with x-kubernetes-list-type=set');
}

function mapKeyFaults(faults: Faults, { items }: JsonObject, keys: string[]): void {
  const field = 'x-kubernetes-list-map-keys';
  if (keys.length === 0) faults.required(field, 'must not be empty if x-kubernetes-list-type is map');
  if (!isObject(items)) {
    faults.required('items', 'must have a schema if x-kubernetes-list-type is map');
    return;
  }
  if (items.type !== 'object') {
    const why = "must be object if parent array's x-kubernetes-list-type is map";
    faults.invalid('items.type', items.type ?? '', why);
    return;
  }
  for (const [index, key] of keys.entries()) {
    if (keys.indexOf(key) < index) faults.invalid(field, keys, 'must not contain duplicate entries');
    const property = objectAt(items, 'properties')[key];
    if (isObject(property)) mapKeyFault(faults.at(`items.properties[${key}]`), property, items, key);
    else faults.invalid(field, keys, 'entries must all be names of item properties');
  }
}

function mapKeyFault(faults: Faults, property: JsonObject, items: JsonObject, key: string): void {
  if (property.type === 'array' || property.type === 'object')
    faults.invalid('type', 'object', "must be a scalar type if parent array's x-kubernetes-list-type is map");
  const why = 'this property is in x-kubernetes-list-map-keys, so it';
  if (!stringsAt(items, 'required').includes(key) && property.default === undefined)
    faults.required('default', `${why} must have a default or be a required property`);
  if (property.nullable === true) faults.forbidden('nullable', `${why} cannot be nullable`);
}
