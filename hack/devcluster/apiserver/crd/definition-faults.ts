import { compileRules } from '../cel/rules.ts';
import {
  arrayAt,
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
import { fieldInvalid, fieldRequired } from '../object-meta.ts';
import type { Cause } from '../status-error.ts';
import { defaultFaults } from './default-faults.ts';
import { isFieldPath } from './rule-faults.ts';
import { fieldForbidden, fieldNotSupported, schemaFaults, structuralFaults } from './schema-faults.ts';

const LABEL = /^[a-z]([-a-z0-9]*[a-z0-9])?$/;
const DOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const LABEL_RULE =
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character";
const COLUMN_TYPES = ['boolean', 'date', 'integer', 'number', 'string'];
const COLUMN_FORMATS = ['int32', 'int64', 'float', 'double', 'byte', 'date', 'date-time', 'password'];
const MAX_SELECTABLE = 8;

/** What is wrong with the spec of a CustomResourceDefinition (validateCustomResourceDefinitionSpec of apiextensions). */
export function specFaults(spec: JsonObject): Cause[] {
  const versions = objectsAt(spec, 'versions');
  const causes = [...groupFaults(spec), ...nameFaults(objectAt(spec, 'names')), ...conversionFaults(spec)];
  versions.forEach((version, index) => {
    const at = `spec.versions[${index}]`;
    const name = stringAt(version, 'name');
    if (!isLabel(name)) causes.push(fieldInvalid(`${at}.name`, name, LABEL_RULE));
    if (!isObject(valueAt(version, 'schema', 'openAPIV3Schema')))
      causes.push(fieldRequired(`${at}.schema.openAPIV3Schema`, 'schemas are required'));
    if (version.deprecated !== true && version.deprecationWarning !== undefined)
      causes.push(
        fieldInvalid(
          `${at}.deprecationWarning`,
          version.deprecationWarning,
          'can only be set for deprecated versions',
        ),
      );
  });
  const names = versions.map((version) => stringAt(version, 'name'));
  if (new Set(names).size < names.length)
    causes.push(fieldInvalid('spec.versions', versions, 'must contain unique version names'));
  if (versions.filter((version) => version.storage === true).length !== 1)
    causes.push(
      fieldInvalid('spec.versions', versions, 'must have exactly one version marked as storage version'),
    );
  for (const { part, path, version } of hoisted(versions, 'schema')) {
    const { openAPIV3Schema: schema } = part;
    if (!isObject(schema)) continue;
    const field = path.startsWith('spec.schema') ? 'spec.validation' : path;
    causes.push(...wholeSchemaFaults(schema, `${field}.openAPIV3Schema`, version));
  }
  for (const { part, path } of hoisted(versions, 'subresources')) causes.push(...scaleFaults(part, path));
  for (const { list, path } of hoistedLists(versions, 'additionalPrinterColumns'))
    list.forEach((column, index) => {
      causes.push(...columnFaults(column, `${path}[${index}]`));
    });
  for (const { list, path, version } of hoistedLists(versions, 'selectableFields'))
    causes.push(...selectableFaults(list, objectAt(version, 'schema', 'openAPIV3Schema'), path));
  return causes;
}

interface Hoisted {
  value: Json | undefined;
  path: string;
  version: JsonObject;
}

/** A part of each version; where it is the same in all, it counts as one of the spec. */
function partsOf(versions: JsonObject[], key: string): Hoisted[] {
  const [first] = versions;
  if (first && versions.every((version) => equal(version[key] ?? null, first[key] ?? null)))
    return [{ value: first[key], path: `spec.${key}`, version: first }];
  return versions.map((version, index) => ({
    value: version[key],
    path: `spec.versions[${index}].${key}`,
    version,
  }));
}

function hoisted(versions: JsonObject[], key: string): (Omit<Hoisted, 'value'> & { part: JsonObject })[] {
  return partsOf(versions, key).map(({ value, ...rest }) => ({
    ...rest,
    part: isObject(value) ? value : {},
  }));
}

function hoistedLists(
  versions: JsonObject[],
  key: string,
): (Omit<Hoisted, 'value'> & { list: JsonObject[] })[] {
  return partsOf(versions, key).map(({ value, ...rest }) => ({
    ...rest,
    list: objectsAt({ value: value ?? null }, 'value'),
  }));
}

function groupFaults(spec: JsonObject): Cause[] {
  const causes: Cause[] = [];
  const group = stringAt(spec, 'group');
  if (group === '') causes.push(fieldRequired('spec.group'));
  else if (!DOMAIN.test(group))
    causes.push(fieldInvalid('spec.group', group, 'a lowercase RFC 1123 subdomain is needed'));
  else if (!group.includes('.'))
    causes.push(fieldInvalid('spec.group', group, 'should be a domain with at least one dot'));
  const scope = stringAt(spec, 'scope');
  if (scope === '') causes.push(fieldRequired('spec.scope'));
  else if (scope !== 'Cluster' && scope !== 'Namespaced')
    causes.push(fieldNotSupported('spec.scope', scope, ['Cluster', 'Namespaced']));
  if (spec.preserveUnknownFields === true)
    causes.push(
      fieldInvalid(
        'spec.preserveUnknownFields',
        true,
        'cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead',
      ),
    );
  return causes;
}

function isLabel(text: string): boolean {
  return LABEL.test(text) && text.length <= 63;
}

function nameFaults(names: JsonObject): Cause[] {
  const causes: Cause[] = [];
  const check = (key: string, text: string, field = `spec.names.${key}`): void => {
    // Kinds may have mixed case.
    if (text !== '' && !isLabel(/kind$/i.test(key) ? text.toLowerCase() : text))
      causes.push(fieldInvalid(field, text, LABEL_RULE));
  };
  for (const key of ['plural', 'singular', 'kind', 'listKind']) {
    const text = stringAt(names, key);
    if (text === '') causes.push(fieldRequired(`spec.names.${key}`));
    check(key, text);
  }
  if (stringAt(names, 'kind') !== '' && names.kind === names.listKind)
    causes.push(
      fieldInvalid('spec.names.listKind', names.listKind ?? '', 'kind and listKind may not be the same'),
    );
  for (const key of ['shortNames', 'categories'])
    stringsAt(names, key).forEach((text, index) => {
      check(key, text, `spec.names.${key}[${index}]`);
    });
  return causes;
}

function conversionFaults(spec: JsonObject): Cause[] {
  const conversion = objectAt(spec, 'conversion');
  const strategy = stringAt(conversion, 'strategy');
  if (strategy === '' || strategy === 'None') {
    const why = 'should not be set when strategy is not set to Webhook';
    return conversion.webhook === undefined
      ? []
      : [fieldForbidden('spec.conversion.webhookClientConfig', why)];
  }
  if (strategy !== 'Webhook')
    return [fieldNotSupported('spec.conversion.strategy', strategy, ['None', 'Webhook'])];
  if (isObject(valueAt(conversion, 'webhook', 'clientConfig'))) return [];
  return [fieldRequired('spec.conversion.webhookClientConfig', 'required when strategy is set to Webhook')];
}

/** Structure first; defaults only of a structural schema; rules only when all else is right. */
function wholeSchemaFaults(schema: JsonObject, path: string, version: JsonObject): Cause[] {
  const causes: Cause[] = [];
  if (schema.nullable === true)
    causes.push(fieldForbidden(`${path}.nullable`, 'nullable cannot be true at the root'));
  if (isObject(valueAt(version, 'subresources', 'status'))) causes.push(...rootFaults(schema, path));
  const structural = structuralFaults(schema, path);
  const defaults = structural.length > 0 ? [] : defaultFaults(schema, path);
  const others = schemaFaults(schema, path);
  causes.push(...structural, ...defaults, ...others);
  if (structural.length + defaults.length + others.length > 0) return causes;
  for (const { path: at, rule, message } of compileRules(schema, true).errors)
    causes.push(fieldInvalid(`${path}${at}`, rule, message));
  return causes;
}

const NOT_AT_ROOT = [
  'default',
  'enum',
  'maxProperties',
  'minProperties',
  'allOf',
  'oneOf',
  'anyOf',
  'not',
  'additionalProperties',
  'x-kubernetes-embedded-resource',
  'x-kubernetes-int-or-string',
  'x-kubernetes-list-map-keys',
  'x-kubernetes-list-type',
  'x-kubernetes-map-type',
];

/** With a status subresource, the status is checked alone: rules of the root would be lost. */
function rootFaults(schema: JsonObject, path: string): Cause[] {
  if (schema.type !== 'object' && schema.type !== undefined)
    return [
      fieldInvalid(
        `${path}.type`,
        schema.type,
        'only "object" is allowed as the type at the root of the schema if the status subresource is enabled',
      ),
    ];
  const odd = NOT_AT_ROOT.some((key) => schema[key] !== undefined);
  const why = 'only a few fields are allowed at the root of the schema if the status subresource is enabled';
  return odd ? [fieldInvalid(path, schema, why)] : [];
}

function scaleFaults(subresources: JsonObject, path: string): Cause[] {
  const { scale } = subresources;
  if (!isObject(scale)) return [];
  const check = (key: string, prefixes: string[], required: boolean): Cause[] => {
    const field = `${path}.scale.${key}`;
    const text = stringAt(scale, key);
    if (text === '') return required ? [fieldRequired(field)] : [];
    if (!text.startsWith('.'))
      return [fieldInvalid(field, text, 'must be a simple json path starting with .')];
    if (prefixes.some((prefix) => text.startsWith(prefix))) return [];
    return [
      fieldInvalid(
        field,
        text,
        `should be a json path under ${prefixes.join(' or ').replaceAll(/\.(?= |$)/g, '')}`,
      ),
    ];
  };
  return [
    ...check('specReplicasPath', ['.spec.'], true),
    ...check('statusReplicasPath', ['.status.'], true),
    ...check('labelSelectorPath', ['.spec.', '.status.'], false),
  ];
}

function columnFaults(column: JsonObject, path: string): Cause[] {
  const causes: Cause[] = [];
  const name = stringAt(column, 'name');
  const type = stringAt(column, 'type');
  const format = stringAt(column, 'format');
  const jsonPath = stringAt(column, 'jsonPath');
  if (name === '') causes.push(fieldRequired(`${path}.name`));
  if (type === '') causes.push(fieldRequired(`${path}.type`, `must be one of ${COLUMN_TYPES.join(',')}`));
  else if (!COLUMN_TYPES.includes(type))
    causes.push(fieldInvalid(`${path}.type`, type, `must be one of ${COLUMN_TYPES.join(',')}`));
  if (format !== '' && !COLUMN_FORMATS.includes(format))
    causes.push(fieldInvalid(`${path}.format`, format, `must be one of ${COLUMN_FORMATS.join(',')}`));
  if (jsonPath === '') causes.push(fieldRequired(`${path}.JSONPath`));
  else if (!jsonPath.startsWith('.'))
    causes.push(fieldInvalid(`${path}.JSONPath`, jsonPath, 'must be a simple json path starting with .'));
  return causes;
}

function selectableFaults(fields: JsonObject[], schema: JsonObject, path: string): Cause[] {
  const causes: Cause[] = [];
  const seen = new Set<string>();
  fields.forEach((field, index) => {
    const text = stringAt(field, 'jsonPath');
    const at = `${path}[${index}].jsonPath`;
    if (text === '') causes.push(fieldRequired(at));
    else if (text.startsWith('.metadata') || !isFieldPath(schema, text))
      causes.push(fieldInvalid(at, text, 'must point to a valid field of the schema'));
    else if (!isSelectable(schema, text))
      causes.push(fieldInvalid(at, text, 'must point to a field of type string, boolean or integer'));
    if (seen.has(text))
      causes.push({
        reason: 'FieldValueDuplicate',
        field: at,
        message: `Duplicate value: ${JSON.stringify(text)}`,
      });
    seen.add(text);
  });
  if (fields.length > MAX_SELECTABLE)
    causes.push({
      reason: 'FieldValueTooMany',
      field: path,
      message: `Too many: ${fields.length}: must have at most ${MAX_SELECTABLE} items`,
    });
  return causes;
}

function isSelectable(schema: JsonObject, path: string): boolean {
  const property = objectAt(
    schema,
    ...path
      .split('.')
      .slice(1)
      .flatMap((key) => ['properties', key]),
  );
  return ['string', 'boolean', 'integer'].includes(stringAt(property, 'type'));
}

/** What an update of a definition may not change. */
export function changeFaults(spec: JsonObject, old: JsonObject, established: boolean): Cause[] {
  const fixed = [['group'], ['names', 'plural'], ...(established ? [['scope'], ['names', 'kind']] : [])];
  return fixed
    .filter((path) => !equal(valueAt(spec, ...path), valueAt(old, ...path)))
    .map((path) =>
      fieldInvalid(`spec.${path.join('.')}`, valueAt(spec, ...path) ?? '', 'field is immutable'),
    );
}

/** Versions that objects may be stored in must stay. */
export function storedVersionFaults(stored: string[], spec: JsonObject): Cause[] {
  if (stored.length === 0)
    return [fieldInvalid('status.storedVersions', null, 'must have at least one stored version')];
  const names = arrayAt(spec, 'versions').map((version) => stringAt(version, 'name'));
  return stored.flatMap((name, index) =>
    names.includes(name)
      ? []
      : [fieldInvalid(`status.storedVersions[${index}]`, name, 'missing from spec.versions')],
  );
}
