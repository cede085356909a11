import { Faults } from '../faults.ts';
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
 * Validates a value against a structural schema; causes are those of kube-apiserver. Values that are
 * unchanged from `old` are not checked again (ratcheting).
 */
export function validateStructural(schema: JsonObject, value: Json, path = '', old?: Json): Cause[] {
  const faults = new Faults(path);
  validateAt(faults, schema, value, old);
  return faults.causes;
}

function jsonTypeName(value: Json): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number';
  return typeof value;
}

function hasType(type: string, value: Json): boolean {
  if (type === '') return true;
  if (type === 'int-or-string') return typeof value === 'string' || Number.isInteger(value);
  if (type === 'number') return typeof value === 'number';
  return type === jsonTypeName(value);
}

function validateAt(faults: Faults, schema: JsonObject, value: Json, old?: Json): void {
  if (old !== undefined && equal(value, old)) return;
  if (value === null && schema.nullable === true) return;
  if (!hasType(structuralType(schema), value)) wrongType(faults, schema, value);
  else {
    const options = schema.enum;
    if (Array.isArray(options) && !options.some((option) => equal(option, value)))
      faults.unsupported('', value, options);
    if (typeof value === 'string') validateString(faults, schema, value);
    if (typeof value === 'number') validateNumber(faults, schema, value);
    if (Array.isArray(value)) validateArray(faults, schema, value, old);
    if (isObject(value)) validateObject(faults, schema, value, old);
  }
  validateJunctors(faults, schema, value);
}

/** Go's patterns are nearly those of JavaScript; a few escapes are only allowed without the u flag. */
function compiled(pattern: string): RegExp {
  try {
    return new RegExp(pattern, 'u');
  } catch {
    return new RegExp(pattern);
  }
}

/** Issues that are reported for the whole object, wherever the value is. */
function invalidAnywhere({ causes }: Faults, why: string): void {
  new Faults('', causes).invalid('', '', why);
}

function outOfFormat(faults: Faults, schema: JsonObject): void {
  const what = `${structuralType(schema)} with format ${stringAt(schema, 'format')}`;
  invalidAnywhere(faults, `Checked value must be of type ${what} in ${faults.path}`);
}

function wrongType(faults: Faults, schema: JsonObject, value: Json): void {
  const format = stringAt(schema, 'format');
  const type = structuralType(schema);
  const fraction = typeof value === 'number' && type === 'integer' && format !== '';
  const got = fraction ? 'float64' : jsonTypeName(value);
  const want = type === 'int-or-string' ? 'integer,string' : fraction ? format : type;
  faults.typeInvalid('', got, `${faults.path || '<nil>'} in body must be of type ${want}: "${got}"`);
  if (fraction) outOfFormat(faults, schema);
}

function validateString(faults: Faults, schema: JsonObject, value: string): void {
  const { path } = faults;
  const max = numberAt(schema, 'maxLength');
  const min = numberAt(schema, 'minLength') ?? 0;
  const length = max === undefined && min === 0 ? 0 : [...value].length;
  if (max !== undefined && length > max) faults.tooLong('', max);
  if (length < min) faults.invalid('', value, `${path} in body should be at least ${min} chars long`);
  const pattern = stringAt(schema, 'pattern');
  if (pattern !== '' && !compiled(pattern).test(value))
    faults.invalid('', value, `${path} in body should match '${pattern}'`);
  const format = stringAt(schema, 'format');
  if (format !== '' && !checkFormat(format, value))
    faults.typeInvalid('', value, `${path} in body must be of type ${format}: ${JSON.stringify(value)}`);
}

/** Largest and smallest values of number formats. */
const RANGES: Readonly<Record<string, readonly [number, number]>> = {
  int32: [-(2 ** 31), 2 ** 31 - 1],
  uint32: [0, 2 ** 32 - 1],
};

function validateNumber(faults: Faults, schema: JsonObject, value: number): void {
  const bad = (text: string): void => faults.invalid('', value, `${faults.path} in body ${text}`);
  const [low, high] = RANGES[stringAt(schema, 'format')] ?? [];
  if (low !== undefined && high !== undefined && (value < low || value > high)) outOfFormat(faults, schema);
  // kube-openapi compares an integer with the integer part of a bound.
  const bound = (name: string): number | undefined => {
    const limit = numberAt(schema, name);
    return limit === undefined || !Number.isInteger(value) ? limit : Math.trunc(limit);
  };
  const multiple = bound('multipleOf');
  if (multiple !== undefined && multiple <= 0)
    faults.invalid('', value, `factor MultipleOf declared for ${faults.path} must be positive: ${multiple}`);
  else if (multiple !== undefined && Math.abs(value / multiple - Math.round(value / multiple)) > 1e-9)
    bad(`should be a multiple of ${multiple}`);
  const max = bound('maximum') ?? Number.POSITIVE_INFINITY;
  if (schema.exclusiveMaximum === true && value >= max) bad(`should be less than ${max}`);
  else if (value > max) bad(`should be less than or equal to ${max}`);
  const min = bound('minimum') ?? Number.NEGATIVE_INFINITY;
  if (schema.exclusiveMinimum === true && value <= min) bad(`should be greater than ${min}`);
  else if (value < min) bad(`should be greater than or equal to ${min}`);
}

function validateArray(faults: Faults, schema: JsonObject, value: Json[], old?: Json): void {
  const max = numberAt(schema, 'maxItems');
  const min = numberAt(schema, 'minItems') ?? 0;
  if (max !== undefined && value.length > max) faults.tooMany('', value.length, max);
  if (value.length < min)
    faults.invalid('', value.length, `${faults.path} in body should have at least ${min} items`);
  const items = schema.items;
  const before = Array.isArray(old) ? old : [];
  if (isObject(items))
    value.forEach((item, index) => {
      validateAt(faults.at(index), items, item, correlatedItem(schema, item, index, before));
    });
  const listType = stringAt(schema, 'x-kubernetes-list-type');
  if (schema.uniqueItems === true || listType === 'set') duplicateFaults(faults, value);
  if (listType !== 'map') return;
  const keys = stringsAt(schema, 'x-kubernetes-list-map-keys').sort();
  const keysOf = (item: Json): Json =>
    Object.fromEntries(keys.map((key) => [key, (isObject(item) ? item[key] : null) ?? null]));
  duplicateFaults(faults, value.map(keysOf));
}

function duplicateFaults(faults: Faults, items: Json[]): void {
  const seen = new Set<string>();
  for (const [index, item] of items.entries()) {
    const text = JSON.stringify(item);
    if (seen.has(text)) faults.duplicate(`[${index}]`, item);
    seen.add(text);
  }
}

function validateObject(faults: Faults, schema: JsonObject, value: JsonObject, old?: Json): void {
  for (const name of stringsAt(schema, 'required')) if (value[name] === undefined) faults.required(name);
  const count = Object.keys(value).length;
  const max = numberAt(schema, 'maxProperties');
  const min = numberAt(schema, 'minProperties') ?? 0;
  if (max !== undefined && count > max) faults.tooMany('', count, max);
  if (count < min) faults.invalid('', count, `${faults.path} in body should have at least ${min} properties`);
  const properties = objectAt(schema, 'properties');
  for (const key of Object.keys(value).sort()) {
    const child = properties[key] ?? schema.additionalProperties;
    const before = isObject(old) ? old[key] : undefined;
    if (isObject(child)) validateAt(faults.at(key), child, value[key] ?? null, before);
  }
}

/** The matching item of the old list; in lists of type map it is found by key. */
function correlatedItem(schema: JsonObject, item: Json, index: number, old: Json[]): Json | undefined {
  if (schema['x-kubernetes-list-type'] !== 'map' || !isObject(item)) return old[index];
  const keys = stringsAt(schema, 'x-kubernetes-list-map-keys');
  return old.find((each) => isObject(each) && keys.every((key) => equal(each[key], item[key])));
}

function validateJunctors(faults: Faults, schema: JsonObject, value: Json): void {
  const failures = (option: JsonObject): Cause[] => validateStructural(option, value, faults.path || 'x');
  const bad = (text: string): void => invalidAnywhere(faults, `${JSON.stringify(faults.path)} ${text}`);
  const any = objectsAt(schema, 'anyOf').map(failures);
  if (any.length > 0 && !any.some((found) => found.length === 0)) {
    bad('must validate at least one schema (anyOf)');
    faults.causes.push(...(any[0] ?? []));
  }
  const one = objectsAt(schema, 'oneOf').map(failures);
  const valid = one.filter((found) => found.length === 0).length;
  if (one.length > 0 && valid !== 1) {
    const found = valid === 0 ? 'none valid' : `${valid} valid alternatives`;
    bad(`must validate one and only one schema (oneOf). Found ${found}`);
    if (valid === 0) faults.causes.push(...(one[0] ?? []));
  }
  const all = objectsAt(schema, 'allOf').flatMap(failures);
  if (all.length > 0) bad('must validate all the schemas (allOf)');
  faults.causes.push(...all);
  if (isObject(schema.not) && failures(schema.not).length === 0) bad('must not validate the schema (not)');
}
