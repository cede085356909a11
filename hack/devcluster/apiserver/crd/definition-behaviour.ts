import { compileRules } from '../cel/rules.ts';
import {
  ensureObject,
  isObject,
  type Json,
  type JsonObject,
  objectAt,
  objectsAt,
  setDefault,
  stringAt,
} from '../json.ts';
import { fieldInvalid, fieldRequired } from '../object-meta.ts';
import type { Behaviour } from '../resource.ts';
import { validateStructural } from '../schema/validate.ts';
import type { Cause } from '../status-error.ts';
import { customCollection } from './custom-collection.ts';

/** Keeps a deleted definition until its objects are gone. */
export const CLEANUP_FINALIZER = 'customresourcecleanup.apiextensions.k8s.io';

/** CustomResourceDefinitions: names and conversion defaulted, schemas checked to be structural, rules compiled. */
export const DEFINITIONS: Behaviour = {
  zero(object) {
    const status = ensureObject(object, 'status');
    if (status.conditions === undefined) status.conditions = null;
    const accepted = ensureObject(status, 'acceptedNames');
    setDefault(accepted, 'plural', '');
    setDefault(accepted, 'kind', '');
    if (status.storedVersions === undefined) status.storedVersions = null;
  },
  default(object) {
    const spec = ensureObject(object, 'spec');
    setDefault(ensureObject(spec, 'conversion'), 'strategy', 'None');
    const names = ensureObject(spec, 'names');
    const kind = stringAt(names, 'kind');
    if (kind !== '') {
      setDefault(names, 'singular', kind.toLowerCase());
      setDefault(names, 'listKind', `${kind}List`);
    }
  },
  prepare(object, old) {
    if (old) return;
    const stored = objectsAt(object, 'spec', 'versions').filter((version) => version.storage === true);
    ensureObject(object, 'status').storedVersions = stored.map((version) => stringAt(version, 'name'));
  },
  deletionFinalizers: (object, store) =>
    store.count(customCollection(object)) > 0 ? [CLEANUP_FINALIZER] : [],
  validate(object) {
    const spec = objectAt(object, 'spec');
    const causes: Cause[] = [];
    const wanted = `${stringAt(spec, 'names', 'plural')}.${stringAt(spec, 'group')}`;
    if (object.metadata.name !== wanted)
      causes.push(
        fieldInvalid('metadata.name', object.metadata.name, 'must be spec.names.plural+"."+spec.group'),
      );
    for (const key of ['plural', 'kind']) {
      if (stringAt(spec, 'names', key) === '') causes.push(fieldRequired(`spec.names.${key}`));
    }
    const versions = objectsAt(spec, 'versions');
    if (versions.filter((version) => version.storage === true).length !== 1) {
      causes.push(
        fieldInvalid('spec.versions', versions, 'must have exactly one version marked as storage version'),
      );
    }
    versions.forEach((version, index) => {
      const path =
        versions.length === 1
          ? 'spec.validation.openAPIV3Schema'
          : `spec.versions[${index}].schema.openAPIV3Schema`;
      const schema = version.schema;
      if (!isObject(schema) || !isObject(schema.openAPIV3Schema)) {
        causes.push(fieldRequired(`spec.versions[${index}].schema.openAPIV3Schema`, 'schemas are required'));
        return;
      }
      causes.push(...schemaCauses(schema.openAPIV3Schema, path));
    });
    return causes;
  },
};

function schemaCauses(schema: JsonObject, path: string): Cause[] {
  const causes: Cause[] = [];
  walk(schema, path, causes, true);
  if (causes.length > 0) return causes;
  for (const error of compileRules(schema).errors) {
    causes.push(fieldInvalid(`${path}${error.path}`, error.rule, error.message));
  }
  return causes;
}

function walk(schema: JsonObject, path: string, causes: Cause[], root = false): void {
  const loose =
    schema['x-kubernetes-int-or-string'] === true || schema['x-kubernetes-preserve-unknown-fields'] === true;
  if (stringAt(schema, 'type') === '' && !loose) {
    causes.push(
      fieldRequired(
        `${path}.type`,
        root ? 'must not be empty at the root' : 'must not be empty for specified object fields',
      ),
    );
  }
  if (root && schema.type !== 'object' && schema.type !== undefined)
    causes.push(fieldInvalid(`${path}.type`, schema.type ?? '', 'must be object at the root'));
  if (schema.default !== undefined) causes.push(...defaultCauses(schema, schema.default, path));
  if (schema['x-kubernetes-list-type'] === 'map' && schema['x-kubernetes-list-map-keys'] === undefined) {
    causes.push(
      fieldRequired(
        `${path}.x-kubernetes-list-map-keys`,
        'must not be empty if x-kubernetes-list-type is map',
      ),
    );
  }
  if (isObject(schema.properties) && schema.additionalProperties !== undefined) {
    causes.push({
      reason: 'FieldValueForbidden',
      field: `${path}.additionalProperties`,
      message: 'Forbidden: additionalProperties and properties are mutual exclusive',
    });
  }
  for (const [key, property] of Object.entries(objectAt(schema, 'properties'))) {
    if (isObject(property)) walk(property, `${path}.properties[${key}]`, causes);
  }
  if (isObject(schema.items)) walk(schema.items, `${path}.items`, causes);
  else if (schema.type === 'array') causes.push(fieldRequired(`${path}.items`, 'must be specified'));
  if (isObject(schema.additionalProperties))
    walk(schema.additionalProperties, `${path}.additionalProperties`, causes);
}

function defaultCauses(schema: JsonObject, value: Json, path: string): Cause[] {
  const { default: _, ...rest } = schema;
  // Nested defaults are filled before the check, so what they give is not missing.
  const filled = structuredClone(value);
  return validateStructural(rest, filled)
    .filter((cause) => cause.reason !== 'FieldValueRequired')
    .map((cause) => ({
      ...cause,
      field: `${path}.default${cause.field === '<nil>' ? '' : `.${cause.field}`}`,
    }));
}
