import { compileRules } from '../cel/rules.ts';
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
  valueAt,
} from '../json.ts';
import { words } from '../words.ts';
import { defaultFaults } from './default-faults.ts';
import { fieldAt } from './rule-faults.ts';
import { schemaFaults, structuralFaults } from './schema-faults.ts';

const LABEL = /^(?=.{0,63}$)[a-z]([-a-z0-9]*[a-z0-9])?$/;
const DOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const LABEL_RULE =
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character";
const COLUMN_TYPES = ['boolean', 'date', 'integer', 'number', 'string'];
const COLUMN_FORMATS = ['int32', 'int64', 'float', 'double', 'byte', 'date', 'date-time', 'password'];
const SCOPES = ['Cluster', 'Namespaced'];
const MAX_SELECTABLE = 8;

/** What is wrong with the spec of a CustomResourceDefinition (validateCustomResourceDefinitionSpec of apiextensions). */
export function specFaults(faults: Faults, spec: JsonObject): void {
  const versions = objectsAt(spec, 'versions');
  groupFaults(faults, spec);
  nameFaults(faults.at('names'), objectAt(spec, 'names'));
  conversionFaults(faults.at('conversion'), objectAt(spec, 'conversion'));
  faults.each('versions', versions, (at, version) => {
    if (!LABEL.test(stringAt(version, 'name'))) at.invalid('name', version.name, LABEL_RULE);
    if (!isObject(valueAt(version, 'schema', 'openAPIV3Schema')))
      at.required('schema.openAPIV3Schema', 'schemas are required');
    if (version.deprecated !== true && version.deprecationWarning !== undefined)
      at.invalid('deprecationWarning', version.deprecationWarning, 'can only be set for deprecated versions');
  });
  if (new Set(versions.map(({ name }) => name)).size < versions.length)
    faults.invalid('versions', versions, 'must contain unique version names');
  if (versions.filter(({ storage }) => storage === true).length !== 1)
    faults.invalid('versions', versions, 'must have exactly one version marked as storage version');
  for (const { part, at, version } of partsOf(faults, versions, 'schema', 'validation')) {
    const schema = valueAt(part, 'openAPIV3Schema');
    if (isObject(schema)) wholeSchemaFaults(at.at('openAPIV3Schema'), schema, version);
  }
  for (const { part, at } of partsOf(faults, versions, 'subresources'))
    scaleFaults(at.at('scale'), valueAt(part, 'scale'));
  for (const { part, at } of partsOf(faults, versions, 'additionalPrinterColumns'))
    at.each('', objectsAt(part), columnFaults);
  for (const { part, at, version } of partsOf(faults, versions, 'selectableFields'))
    selectableFaults(at, objectsAt(part), objectAt(version, 'schema', 'openAPIV3Schema'));
}

/** A part of each version; where it is the same in all, it counts as one of the spec, under another key or the same. */
function partsOf(
  faults: Faults,
  versions: JsonObject[],
  key: string,
  shared = key,
): { part: Json | undefined; at: Faults; version: JsonObject }[] {
  const [first] = versions;
  if (first && versions.every((version) => equal(version[key] ?? null, first[key] ?? null)))
    return [{ part: first[key], at: faults.at(shared), version: first }];
  return versions.map((version, index) => ({
    part: version[key],
    at: faults.at('versions', index, key),
    version,
  }));
}

function groupFaults(faults: Faults, spec: JsonObject): void {
  const group = stringAt(spec, 'group');
  if (group === '') faults.required('group');
  else if (!DOMAIN.test(group)) faults.invalid('group', group, 'a lowercase RFC 1123 subdomain is needed');
  else if (!group.includes('.')) faults.invalid('group', group, 'should be a domain with at least one dot');
  const scope = stringAt(spec, 'scope');
  if (scope === '') faults.required('scope');
  else if (!SCOPES.includes(scope)) faults.unsupported('scope', scope, SCOPES);
  if (spec.preserveUnknownFields !== true) return;
  const why =
    'cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead';
  faults.invalid('preserveUnknownFields', true, why);
}

function nameFaults(faults: Faults, names: JsonObject): void {
  const check = (key: string, text: string): void => {
    // Kinds may have mixed case.
    if (text !== '' && !LABEL.test(/kind$/i.test(key) ? text.toLowerCase() : text))
      faults.invalid(key, text, LABEL_RULE);
  };
  for (const key of ['plural', 'singular', 'kind', 'listKind']) {
    const text = stringAt(names, key);
    if (text === '') faults.required(key);
    check(key, text);
  }
  if (stringAt(names, 'kind') !== '' && names.kind === names.listKind)
    faults.invalid('listKind', names.listKind, 'kind and listKind may not be the same');
  for (const key of ['shortNames', 'categories'])
    for (const [index, text] of stringsAt(names, key).entries()) check(`${key}[${index}]`, text);
}

function conversionFaults(faults: Faults, conversion: JsonObject): void {
  const strategy = stringAt(conversion, 'strategy');
  if (strategy === 'Webhook') {
    if (!isObject(valueAt(conversion, 'webhook', 'clientConfig')))
      faults.required('webhookClientConfig', 'required when strategy is set to Webhook');
  } else if (strategy !== '' && strategy !== 'None')
    faults.unsupported('strategy', strategy, ['None', 'Webhook']);
  else if (conversion.webhook !== undefined)
    faults.forbidden('webhookClientConfig', 'should not be set when strategy is not set to Webhook');
}

/** Structure first; defaults only of a structural schema; rules only when all else is right. */
function wholeSchemaFaults(faults: Faults, schema: JsonObject, version: JsonObject): void {
  if (schema.nullable === true) faults.forbidden('nullable', 'nullable cannot be true at the root');
  if (isObject(valueAt(version, 'subresources', 'status'))) rootFaults(faults, schema);
  const before = faults.causes.length;
  structuralFaults(faults, schema);
  if (faults.causes.length === before) defaultFaults(faults, schema);
  schemaFaults(faults, schema);
  if (faults.causes.length > before) return;
  for (const { path, rule, message } of compileRules(schema, true).errors)
    faults.invalid(path.slice(1), rule, message);
}

const NOT_AT_ROOT = [
  ...words(`default enum maxProperties minProperties allOf oneOf anyOf not additionalProperties
  x-kubernetes-embedded-resource x-kubernetes-int-or-string x-kubernetes-list-map-keys
  x-kubernetes-list-type x-kubernetes-map-type`),
];

/** With a status subresource, the status is checked alone: rules of the root would be lost. */
function rootFaults(faults: Faults, schema: JsonObject): void {
  const where = 'at the root of the schema if the status subresource is enabled';
  if (schema.type !== 'object' && schema.type !== undefined)
    faults.invalid('type', schema.type, `only "object" is allowed as the type ${where}`);
  else if (NOT_AT_ROOT.some((key) => schema[key] !== undefined))
    faults.invalid('', schema, `only a few fields are allowed ${where}`);
}

function scaleFaults(faults: Faults, scale: Json | undefined): void {
  if (!isObject(scale)) return;
  const check = (key: string, parents: string[]): void => {
    const text = stringAt(scale, key);
    if (!text.startsWith('.')) faults.wrong(key, text, 'must be a simple json path starting with .');
    else if (!parents.some((parent) => text.startsWith(`${parent}.`)))
      faults.invalid(key, text, `should be a json path under ${parents.join(' or ')}`);
  };
  check('specReplicasPath', ['.spec']);
  check('statusReplicasPath', ['.status']);
  if (stringAt(scale, 'labelSelectorPath') !== '') check('labelSelectorPath', ['.spec', '.status']);
}

function columnFaults(faults: Faults, column: JsonObject): void {
  const type = stringAt(column, 'type');
  const format = stringAt(column, 'format');
  const jsonPath = stringAt(column, 'jsonPath');
  if (stringAt(column, 'name') === '') faults.required('name');
  if (!COLUMN_TYPES.includes(type)) faults.wrong('type', type, `must be one of ${COLUMN_TYPES.join(',')}`);
  if (format !== '' && !COLUMN_FORMATS.includes(format))
    faults.invalid('format', format, `must be one of ${COLUMN_FORMATS.join(',')}`);
  if (!jsonPath.startsWith('.'))
    faults.wrong('JSONPath', jsonPath, 'must be a simple json path starting with .');
}

function selectableFaults(faults: Faults, fields: JsonObject[], schema: JsonObject): void {
  const seen = new Set<string>();
  faults.each('', fields, (at, field) => {
    const text = stringAt(field, 'jsonPath');
    const found = fieldAt(schema, text);
    if (text === '') at.required('jsonPath');
    else if (text.startsWith('.metadata') || !found)
      at.invalid('jsonPath', text, 'must point to a valid field of the schema');
    else if (!['string', 'boolean', 'integer'].includes(stringAt(found, 'type')))
      at.invalid('jsonPath', text, 'must point to a field of type string, boolean or integer');
    if (seen.has(text)) at.duplicate('jsonPath', text);
    seen.add(text);
  });
  if (fields.length > MAX_SELECTABLE) faults.tooMany('', fields.length, MAX_SELECTABLE);
}

/** What an update of a definition may not change. */
export function changeFaults(faults: Faults, spec: JsonObject, old: JsonObject, established: boolean): void {
  const fixed = [['group'], ['names', 'plural'], ...(established ? [['scope'], ['names', 'kind']] : [])];
  for (const path of fixed)
    if (!equal(valueAt(spec, ...path), valueAt(old, ...path)))
      faults.invalid(path.join('.'), valueAt(spec, ...path) ?? '', 'field is immutable');
}

/** Versions that objects may be stored in must stay. */
export function storedVersionFaults(faults: Faults, stored: string[], spec: JsonObject): void {
  if (stored.length === 0) faults.invalid('storedVersions', null, 'must have at least one stored version');
  const names = objectsAt(spec, 'versions').map((version) => stringAt(version, 'name'));
  faults.each('storedVersions', stored, (at, name) => {
    if (!names.includes(name)) at.invalid('', name, 'missing from spec.versions');
  });
}
