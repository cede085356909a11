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
import { fieldInvalid, fieldRequired } from '../object-meta.ts';
import type { Cause } from '../status-error.ts';
import { ruleFaults } from './rule-faults.ts';

type Level = 'root' | 'item' | 'field';

const TYPES = ['array', 'boolean', 'integer', 'number', 'object', 'string'];
const UNSUPPORTED = ['id', 'additionalItems', 'patternProperties', 'definitions', 'dependencies', '$ref'];
/** What a schema below anyOf, allOf, oneOf and not may not have, to be structural. */
const FORBIDDEN_NESTED = [
  'type',
  'default',
  'title',
  'description',
  'nullable',
  'x-kubernetes-preserve-unknown-fields',
  'x-kubernetes-embedded-resource',
  'x-kubernetes-int-or-string',
  'x-kubernetes-list-map-keys',
  'x-kubernetes-list-type',
  'x-kubernetes-map-type',
  'x-kubernetes-validations',
];
const INT_OR_STRING: Json = [{ type: 'integer' }, { type: 'string' }];

/** An error of a field that may not be set. */
export function fieldForbidden(field: string, why: string): Cause {
  return { reason: 'FieldValueForbidden', field, message: `Forbidden: ${why}` };
}

/** An error of a value that is none of the supported ones. */
export function fieldNotSupported(field: string, value: Json, supported: readonly string[]): Cause {
  const list = supported.map((each) => JSON.stringify(each)).join(', ');
  const message = `Unsupported value: ${JSON.stringify(value)}: supported values: ${list}`;
  return { reason: 'FieldValueNotSupported', field, message };
}

/**
 * What keeps a schema from being structural: completeness, and what stands below anyOf, allOf, oneOf and not
 * (ValidateStructural of apiextensions).
 */
export function structuralFaults(schema: JsonObject, path: string, level: Level = 'root'): Cause[] {
  const causes: Cause[] = [];
  const type = stringAt(schema, 'type');
  const intOrString = schema['x-kubernetes-int-or-string'] === true;
  const preserves = schema['x-kubernetes-preserve-unknown-fields'] === true;
  const embedded = schema['x-kubernetes-embedded-resource'] === true;
  if (type === 'array' && !isObject(schema.items))
    causes.push(fieldRequired(`${path}.items`, 'must be specified'));
  if (intOrString && preserves)
    causes.push(
      fieldInvalid(
        `${path}.x-kubernetes-preserve-unknown-fields`,
        true,
        'must be false if x-kubernetes-int-or-string is true',
      ),
    );
  if (embedded && type !== 'object') {
    const why = 'must be object if x-kubernetes-embedded-resource is true';
    causes.push(type === '' ? fieldRequired(`${path}.type`, why) : fieldInvalid(`${path}.type`, type, why));
  } else if (type === '' && !intOrString && !preserves)
    causes.push(fieldRequired(`${path}.type`, EMPTY[level]));
  if (level === 'root' && type !== '' && type !== 'object')
    causes.push(fieldInvalid(`${path}.type`, type, 'must be object at the root'));
  if (level === 'root' && isObject(schema.additionalProperties))
    causes.push(fieldForbidden(`${path}.additionalProperties`, 'must not be used at the root'));
  if (level === 'root' || embedded) causes.push(...metaFaults(objectAt(schema, 'properties'), path, level));
  causes.push(...valueFaults(schema, path, intOrString), ...patternFaults(schema, path));
  for (const [child, at, childLevel] of children(schema, path))
    causes.push(...structuralFaults(child, at, childLevel));
  return causes;
}

const EMPTY: Readonly<Record<Level, string>> = {
  root: 'must not be empty at the root',
  item: 'must not be empty for specified array items',
  field: 'must not be empty for specified object fields',
};

/** The schemas of items, properties and additional properties, with their paths. */
export function children(schema: JsonObject, path: string): [JsonObject, string, Level][] {
  const out: [JsonObject, string, Level][] = [];
  if (isObject(schema.items)) out.push([schema.items, `${path}.items`, 'item']);
  for (const [key, property] of Object.entries(objectAt(schema, 'properties')))
    if (isObject(property)) out.push([property, `${path}.properties[${key}]`, 'field']);
  if (isObject(schema.additionalProperties))
    out.push([schema.additionalProperties, `${path}.additionalProperties`, 'field']);
  return out;
}

function metaFaults(properties: JsonObject, path: string, level: Level): Cause[] {
  const causes: Cause[] = [];
  for (const key of ['kind', 'apiVersion']) {
    const property = properties[key];
    if (isObject(property) && property.type !== 'string')
      causes.push(fieldInvalid(`${path}.properties[${key}].type`, property.type ?? '', 'must be string'));
  }
  const { metadata } = properties;
  if (!isObject(metadata)) return causes;
  const at = `${path}.properties[metadata]`;
  if (metadata.type !== 'object')
    causes.push(fieldInvalid(`${at}.type`, metadata.type ?? '', 'must be object'));
  const { type: _, properties: named, default: __, ...rest } = metadata;
  const odd = Object.keys(isObject(named) ? named : {}).some(
    (key) => key !== 'name' && key !== 'generateName',
  );
  if (level === 'root' && (odd || Object.keys(rest).length > 0))
    causes.push(
      fieldForbidden(
        at,
        'must not specify anything other than name and generateName, but metadata is implicitly specified',
      ),
    );
  return causes;
}

function patternFaults(schema: JsonObject, path: string): Cause[] {
  const pattern = stringAt(schema, 'pattern');
  try {
    RegExp(pattern);
    return [];
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return [
      fieldInvalid(`${path}.pattern`, pattern, `must be a valid regular expression, but isn't: ${why}`),
    ];
  }
}

/** Schemas below anyOf, allOf, oneOf and not; the two ways to write int-or-string are allowed. */
function valueFaults(schema: JsonObject, path: string, intOrString: boolean): Cause[] {
  const causes: Cause[] = [];
  if (!(intOrString && equal(schema.anyOf, INT_OR_STRING)))
    objectsAt(schema, 'anyOf').forEach((each, index) => {
      causes.push(...nestedFaults(each, `${path}.anyOf[${index}]`, false));
    });
  objectsAt(schema, 'allOf').forEach((each, index) => {
    causes.push(...nestedFaults(each, `${path}.allOf[${index}]`, intOrString && index === 0));
  });
  objectsAt(schema, 'oneOf').forEach((each, index) => {
    causes.push(...nestedFaults(each, `${path}.oneOf[${index}]`, false));
  });
  if (isObject(schema.not)) causes.push(...nestedFaults(schema.not, `${path}.not`, false));
  return causes;
}

function nestedFaults(schema: JsonObject, path: string, intOrString: boolean): Cause[] {
  const causes = valueFaults(schema, path, intOrString);
  for (const key of FORBIDDEN_NESTED)
    if (schema[key] !== undefined && !(key.endsWith('validations') && path.includes('.allOf[')))
      causes.push(fieldForbidden(`${path}.${key}`, 'must be empty to be structural'));
  if (isObject(objectAt(schema, 'properties').metadata))
    causes.push(fieldForbidden(`${path}.properties[metadata]`, 'must not be specified in a nested context'));
  for (const [child, at] of children(schema, path)) causes.push(...nestedFaults(child, at, false));
  return causes;
}

/**
 * What the rest of the checks of a definition's schema finds: types, list and map extensions, and the form of rules
 * (ValidateCustomResourceDefinitionOpenAPISchema of apiextensions).
 */
export function schemaFaults(schema: JsonObject, path: string): Cause[] {
  const causes: Cause[] = [];
  const type = stringAt(schema, 'type');
  if (type !== '' && !TYPES.includes(type)) causes.push(fieldNotSupported(`${path}.type`, type, TYPES));
  for (const key of UNSUPPORTED)
    if (schema[key] !== undefined) causes.push(fieldForbidden(`${path}.${key}`, `${key} is not supported`));
  if (schema.uniqueItems === true)
    causes.push(
      fieldForbidden(
        `${path}.uniqueItems`,
        'uniqueItems cannot be set to true since the runtime complexity becomes quadratic',
      ),
    );
  if (Object.keys(objectAt(schema, 'properties')).length > 0 && isObject(schema.additionalProperties))
    causes.push(
      fieldForbidden(
        `${path}.additionalProperties`,
        'additionalProperties and properties are mutual exclusive',
      ),
    );
  if (schema['x-kubernetes-preserve-unknown-fields'] === false)
    causes.push(
      fieldInvalid(`${path}.x-kubernetes-preserve-unknown-fields`, false, 'must be true or undefined'),
    );
  causes.push(...mapTypeFaults(schema, path), ...listTypeFaults(schema, path), ...ruleFaults(schema, path));
  for (const [child, at] of children(schema, path)) causes.push(...schemaFaults(child, at));
  return causes;
}

function mapTypeFaults(schema: JsonObject, path: string): Cause[] {
  const mapType = schema['x-kubernetes-map-type'];
  if (mapType === undefined) return [];
  const causes: Cause[] = [];
  const type = stringAt(schema, 'type');
  const why = 'must be object if x-kubernetes-map-type is specified';
  if (type === '') causes.push(fieldRequired(`${path}.type`, why));
  else if (type !== 'object') causes.push(fieldInvalid(`${path}.type`, type, why));
  if (mapType !== 'atomic' && mapType !== 'granular')
    causes.push(fieldNotSupported(`${path}.x-kubernetes-map-type`, mapType, ['atomic', 'granular']));
  return causes;
}

function listTypeFaults(schema: JsonObject, path: string): Cause[] {
  const causes: Cause[] = [];
  const listType = schema['x-kubernetes-list-type'];
  const type = stringAt(schema, 'type');
  const keys = stringsAt(schema, 'x-kubernetes-list-map-keys');
  const items = objectAt(schema, 'items');
  if (listType !== undefined && type !== 'array') {
    const why = 'must be array if x-kubernetes-list-type is specified';
    causes.push(type === '' ? fieldRequired(`${path}.type`, why) : fieldInvalid(`${path}.type`, type, why));
  } else if (listType === 'set') {
    const extension = items.type === 'array' ? 'x-kubernetes-list-type' : 'x-kubernetes-map-type';
    const inner = items[extension];
    const granular = items.type === 'object' ? inner !== 'atomic' : inner !== undefined && inner !== 'atomic';
    if ((items.type === 'array' || items.type === 'object') && granular)
      causes.push(
        fieldInvalid(
          `${path}.items.${extension}`,
          inner ?? null,
          'must be atomic as item of a list with x-kubernetes-list-type=set',
        ),
      );
  }
  if (listType !== undefined && !['atomic', 'set', 'map'].includes(String(listType)))
    causes.push(fieldNotSupported(`${path}.x-kubernetes-list-type`, listType, ['atomic', 'set', 'map']));
  if (keys.length > 0 && listType !== 'map') {
    const why = 'must be map if x-kubernetes-list-map-keys is non-empty';
    const field = `${path}.x-kubernetes-list-type`;
    causes.push(listType === undefined ? fieldRequired(field, why) : fieldInvalid(field, listType, why));
  }
  if (listType === 'map') causes.push(...mapKeyFaults(schema, items, keys, path));
  if ((listType === 'map' || listType === 'set') && items.nullable === true)
    causes.push(
      fieldForbidden(
        `${path}.items.nullable`,
        `cannot be nullable when x-kubernetes-list-type is ${listType}`,
      ),
    );
  return causes;
}

function mapKeyFaults(schema: JsonObject, items: JsonObject, keys: string[], path: string): Cause[] {
  const causes: Cause[] = [];
  const keysPath = `${path}.x-kubernetes-list-map-keys`;
  if (keys.length === 0)
    causes.push(fieldRequired(keysPath, 'must not be empty if x-kubernetes-list-type is map'));
  if (!isObject(schema.items))
    return [...causes, fieldRequired(`${path}.items`, 'must have a schema if x-kubernetes-list-type is map')];
  if (items.type !== 'object')
    return [
      ...causes,
      fieldInvalid(
        `${path}.items.type`,
        items.type ?? '',
        "must be object if parent array's x-kubernetes-list-type is map",
      ),
    ];
  const required = stringsAt(items, 'required');
  for (const [index, key] of keys.entries()) {
    if (keys.indexOf(key) < index)
      causes.push(fieldInvalid(keysPath, keys, 'must not contain duplicate entries'));
    const property = objectAt(items, 'properties')[key];
    const at = `${path}.items.properties[${key}]`;
    if (!isObject(property)) {
      causes.push(fieldInvalid(keysPath, keys, 'entries must all be names of item properties'));
      continue;
    }
    if (property.type === 'array' || property.type === 'object')
      causes.push(
        fieldInvalid(
          `${at}.type`,
          'object',
          "must be a scalar type if parent array's x-kubernetes-list-type is map",
        ),
      );
    const why = 'this property is in x-kubernetes-list-map-keys, so it';
    if (!required.includes(key) && property.default === undefined)
      causes.push(fieldRequired(`${at}.default`, `${why} must have a default or be a required property`));
    if (property.nullable === true)
      causes.push(fieldForbidden(`${at}.nullable`, `${why} cannot be nullable`));
  }
  return causes;
}
