import {
  equal,
  isObject,
  type Json,
  type JsonObject,
  numberAt,
  objectAt,
  objectsAt,
  stringAt,
  stringsAt,
} from '../json.ts';
import type { Cause } from '../status-error.ts';
import { checkFormat } from './formats.ts';
import { structuralType } from './structural.ts';

/**
 * Validates a value against a structural schema; causes are those of kube-apiserver. What is as it was in
 * `old` is not checked again (ratcheting).
 */
export function validateStructural(schema: JsonObject, value: Json, path = '', old?: Json): Cause[] {
  const causes: Cause[] = [];
  validateAt(schema, value, path, causes, old);
  return causes;
}

/** The name of a JSON value's type as error messages give it. */
export function jsonTypeName(value: Json): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number';
  return typeof value;
}

function shown(value: Json): string {
  return typeof value === 'string'
    ? JSON.stringify(value)
    : isObject(value) || Array.isArray(value)
      ? JSON.stringify(value)
      : String(value);
}

function fieldPath(path: string, key: string): string {
  return path === '' ? key : `${path}.${key}`;
}

function hasType(schema: JsonObject, value: Json): boolean {
  switch (structuralType(schema)) {
    case '':
      return true;
    case 'int-or-string':
      return typeof value === 'string' || Number.isInteger(value);
    case 'object':
      return isObject(value);
    case 'array':
      return Array.isArray(value);
    case 'integer':
      return Number.isInteger(value);
    case 'number':
      return typeof value === 'number';
    default:
      return typeof value === structuralType(schema);
  }
}

function validateAt(schema: JsonObject, value: Json, path: string, causes: Cause[], old?: Json): void {
  if (old !== undefined && equal(value, old)) return;
  const add = (reason: string, message: string, field = path === '' ? '<nil>' : path): void => {
    causes.push({ reason, field, message });
  };
  if (value === null && schema.nullable === true) return;
  if (!hasType(schema, value)) {
    wrongType(schema, value, path, add);
    validateJunctors(schema, value, path, causes, add);
    return;
  }
  const options = schema.enum;
  if (Array.isArray(options) && !options.some((option) => equal(option, value))) {
    add(
      'FieldValueNotSupported',
      `Unsupported value: ${shown(value)}: supported values: ${options.map(shown).join(', ')}`,
    );
  }
  if (typeof value === 'string') validateString(schema, value, path, add);
  if (typeof value === 'number') validateNumber(schema, value, path, add);
  if (Array.isArray(value)) validateArray(schema, value, path, causes, add, old);
  if (isObject(value)) validateObject(schema, value, path, causes, add, old);
  validateJunctors(schema, value, path, causes, add);
}

/** Go's patterns are nearly those of JavaScript; a few escapes are only allowed without the u flag. */
function compiled(pattern: string): RegExp {
  try {
    return new RegExp(pattern, 'u');
  } catch {
    return new RegExp(pattern);
  }
}

type Add = (reason: string, message: string, field?: string) => void;

function wrongType(schema: JsonObject, value: Json, path: string, add: Add): void {
  const format = stringAt(schema, 'format');
  const fraction = typeof value === 'number' && structuralType(schema) === 'integer' && format !== '';
  const got = JSON.stringify(fraction ? 'float64' : jsonTypeName(value));
  const type = structuralType(schema);
  const want = type === 'int-or-string' ? 'integer,string' : fraction ? format : type;
  const where = path === '' ? '<nil>' : path;
  add('FieldValueTypeInvalid', `Invalid value: ${got}: ${where} in body must be of type ${want}: ${got}`);
  if (!fraction) return;
  const text = `Checked value must be of type ${type} with format ${format} in ${path}`;
  add('FieldValueInvalid', `Invalid value: "": ${text}`, '<nil>');
}

function validateString(schema: JsonObject, value: string, path: string, add: Add): void {
  const max = numberAt(schema, 'maxLength');
  const min = numberAt(schema, 'minLength');
  const length = max === undefined && min === undefined ? 0 : [...value].length;
  if (max !== undefined && length > max)
    add('FieldValueTooLong', `Too long: may not be more than ${max} bytes`);
  if (min !== undefined && length < min) {
    add(
      'FieldValueInvalid',
      `Invalid value: ${shown(value)}: ${path} in body should be at least ${min} chars long`,
    );
  }
  const pattern = stringAt(schema, 'pattern');
  if (pattern !== '' && !compiled(pattern).test(value)) {
    add('FieldValueInvalid', `Invalid value: ${shown(value)}: ${path} in body should match '${pattern}'`);
  }
  const format = stringAt(schema, 'format');
  if (format !== '' && !checkFormat(format, value)) {
    add(
      'FieldValueTypeInvalid',
      `Invalid value: ${shown(value)}: ${path} in body must be of type ${format}: ${shown(value)}`,
    );
  }
}

/** Largest and smallest values of number formats. */
const RANGES: Readonly<Record<string, readonly [number, number]>> = {
  int32: [-(2 ** 31), 2 ** 31 - 1],
  uint32: [0, 2 ** 32 - 1],
};

function validateNumber(schema: JsonObject, value: number, path: string, add: Add): void {
  const bad = (text: string): void => {
    add('FieldValueInvalid', `Invalid value: ${value}: ${path} in body ${text}`);
  };
  const [low, high] = RANGES[stringAt(schema, 'format')] ?? [];
  if (low !== undefined && high !== undefined && (value < low || value > high)) {
    const text = `Checked value must be of type ${structuralType(schema)} with format ${stringAt(schema, 'format')} in ${path}`;
    add('FieldValueInvalid', `Invalid value: "": ${text}`, '<nil>');
  }
  // kube-openapi compares an integer with the integer part of a bound.
  const bound = (name: string): number | undefined => {
    const limit = numberAt(schema, name);
    return limit === undefined || !Number.isInteger(value) ? limit : Math.trunc(limit);
  };
  const multiple = bound('multipleOf');
  if (multiple !== undefined && multiple <= 0) {
    const text = `factor MultipleOf declared for ${path} must be positive: ${multiple}`;
    add('FieldValueInvalid', `Invalid value: ${value}: ${text}`);
  } else if (multiple !== undefined && Math.abs(value / multiple - Math.round(value / multiple)) > 1e-9) {
    bad(`should be a multiple of ${multiple}`);
  }
  const max = bound('maximum');
  if (max !== undefined) {
    if (schema.exclusiveMaximum === true && value >= max) bad(`should be less than ${max}`);
    else if (value > max) bad(`should be less than or equal to ${max}`);
  }
  const min = bound('minimum');
  if (min !== undefined) {
    if (schema.exclusiveMinimum === true && value <= min) bad(`should be greater than ${min}`);
    else if (value < min) bad(`should be greater than or equal to ${min}`);
  }
}

function validateArray(
  schema: JsonObject,
  value: Json[],
  path: string,
  causes: Cause[],
  add: Add,
  old?: Json,
): void {
  const max = numberAt(schema, 'maxItems');
  const min = numberAt(schema, 'minItems');
  if (max !== undefined && value.length > max) {
    add('FieldValueTooMany', `Too many: ${value.length}: must have at most ${max} items`);
  }
  if (min !== undefined && value.length < min) {
    add(
      'FieldValueInvalid',
      `Invalid value: ${value.length}: ${path} in body should have at least ${min} items`,
    );
  }
  if (schema.uniqueItems === true) reportDuplicates(value, (item) => JSON.stringify(item), path, causes);
  const items = schema.items;
  if (isObject(items)) {
    const before = Array.isArray(old) ? old : [];
    value.forEach((item, index) => {
      validateAt(items, item, `${path}[${index}]`, causes, correlatedItem(schema, item, index, before));
    });
  }
  const listType = stringAt(schema, 'x-kubernetes-list-type');
  if (listType === 'set') reportDuplicates(value, (item) => JSON.stringify(item), path, causes);
  if (listType === 'map') {
    const keys = stringsAt(schema, 'x-kubernetes-list-map-keys').sort();
    reportDuplicates(
      value,
      (item) =>
        JSON.stringify(Object.fromEntries(keys.map((key) => [key, objectAt({ item }, 'item')[key] ?? null]))),
      path,
      causes,
    );
  }
}

function reportDuplicates(value: Json[], keyOf: (item: Json) => string, path: string, causes: Cause[]): void {
  const seen = new Set<string>();
  value.forEach((item, index) => {
    const key = keyOf(item);
    if (seen.has(key)) {
      causes.push({
        reason: 'FieldValueDuplicate',
        field: `${path}[${index}]`,
        message: `Duplicate value: ${key}`,
      });
    }
    seen.add(key);
  });
}

function validateObject(
  schema: JsonObject,
  value: JsonObject,
  path: string,
  causes: Cause[],
  add: Add,
  old?: Json,
): void {
  for (const name of stringsAt(schema, 'required')) {
    if (value[name] === undefined) add('FieldValueRequired', 'Required value', fieldPath(path, name));
  }
  const count = Object.keys(value).length;
  const max = numberAt(schema, 'maxProperties');
  const min = numberAt(schema, 'minProperties');
  if (max !== undefined && count > max)
    add('FieldValueTooMany', `Too many: ${count}: must have at most ${max} items`);
  if (min !== undefined && count < min) {
    add(
      'FieldValueInvalid',
      `Invalid value: ${count}: ${path} in body should have at least ${min} properties`,
    );
  }
  const properties = objectAt(schema, 'properties');
  const additional = schema.additionalProperties;
  for (const key of Object.keys(value).sort()) {
    const child = value[key] ?? null;
    const property = properties[key];
    const before = isObject(old) ? old[key] : undefined;
    if (isObject(property)) validateAt(property, child, fieldPath(path, key), causes, before);
    else if (isObject(additional)) validateAt(additional, child, fieldPath(path, key), causes, before);
  }
}

/** The item of the old list that this one was; lists of type map know it by key. */
function correlatedItem(schema: JsonObject, item: Json, index: number, old: Json[]): Json | undefined {
  if (schema['x-kubernetes-list-type'] !== 'map' || !isObject(item)) return old[index];
  const keys = stringsAt(schema, 'x-kubernetes-list-map-keys');
  return old.find((each) => isObject(each) && keys.every((key) => equal(each[key], item[key])));
}

function failures(schema: JsonObject, value: Json, path: string): Cause[] {
  return validateStructural(schema, value, path === '' ? 'x' : path);
}

function validateJunctors(schema: JsonObject, value: Json, path: string, causes: Cause[], add: Add): void {
  const bad = (text: string): void => {
    add('FieldValueInvalid', `Invalid value: "": ${JSON.stringify(path)} ${text}`, '<nil>');
  };
  const any = objectsAt(schema, 'anyOf').map((option) => failures(option, value, path));
  if (any.length > 0 && !any.some((found) => found.length === 0)) {
    bad('must validate at least one schema (anyOf)');
    causes.push(...(any[0] ?? []));
  }
  const one = objectsAt(schema, 'oneOf').map((option) => failures(option, value, path));
  const valid = one.filter((found) => found.length === 0).length;
  if (one.length > 0 && valid !== 1) {
    bad(
      `must validate one and only one schema (oneOf). Found ${valid === 0 ? 'none valid' : `${valid} valid alternatives`}`,
    );
    if (valid === 0) causes.push(...(one[0] ?? []));
  }
  const all = objectsAt(schema, 'allOf').flatMap((option) => failures(option, value, path));
  if (all.length > 0) {
    bad('must validate all the schemas (allOf)');
    causes.push(...all);
  }
  const not = schema.not;
  if (isObject(not) && failures(not, value, path).length === 0) bad('must not validate the schema (not)');
}
