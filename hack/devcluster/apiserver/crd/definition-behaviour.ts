import { type ApiObject, timestamp } from '../api-object.ts';
import {
  ensureObject,
  isObject,
  type JsonObject,
  objectAt,
  objectsAt,
  setDefault,
  stringAt,
  stringsAt,
} from '../json.ts';
import type { Behaviour } from '../resource.ts';
import { notImplemented } from '../status-error.ts';
import { words } from '../words.ts';
import { changeFaults, specFaults, storedVersionFaults } from './definition-faults.ts';
import { children } from './schema-faults.ts';

/** Fields of a schema that are not written when they are empty, or false. */
const TEXTS = new Set(['id', 'description', 'type', 'format', 'title', 'pattern']);
const FLAGS = words(`exclusiveMaximum exclusiveMinimum uniqueItems nullable x-kubernetes-embedded-resource
  x-kubernetes-int-or-string`);

/** Keeps a deleted definition until its objects are gone. */
export const CLEANUP_FINALIZER = 'customresourcecleanup.apiextensions.k8s.io';

/** Whether a definition is served. */
export function isEstablished(definition: ApiObject): boolean {
  return objectsAt(definition, 'status', 'conditions').some(
    (condition) => condition.type === 'Established' && condition.status === 'True',
  );
}

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
    for (const version of objectsAt(spec, 'versions')) dropZeros(version);
  },
  prepare(object, old) {
    const storage = objectsAt(object, 'spec', 'versions').find((version) => version.storage === true);
    if (!storage) return;
    const stored = old ? stringsAt(object, 'status', 'storedVersions') : [];
    const name = stringAt(storage, 'name');
    ensureObject(object, 'status').storedVersions = stored.includes(name) ? stored : [...stored, name];
  },
  deletionFinalizers: () => [CLEANUP_FINALIZER],
  terminating(object, before, now) {
    const { generation } = before.metadata;
    if (generation !== undefined) object.metadata.generation = generation;
    delete object.metadata.deletionGracePeriodSeconds;
    const status = objectAt(before, 'status');
    const others = objectsAt(status, 'conditions').filter(({ type }) => type !== 'Terminating');
    const condition: JsonObject = {
      type: 'Terminating',
      status: 'True',
      lastTransitionTime: timestamp(now),
      reason: 'InstanceDeletionPending',
      message: 'CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon',
    };
    object.status = { ...status, conditions: [...others, condition] };
  },
  validate(faults, object, old, { subresource }) {
    if (subresource === 'status') return;
    const spec = objectAt(object, 'spec');
    const wanted = `${stringAt(spec, 'names', 'plural')}.${stringAt(spec, 'group')}`;
    if (!old && object.metadata.name !== wanted)
      faults.invalid('metadata.name', object.metadata.name, 'must be spec.names.plural+"."+spec.group');
    specFaults(faults.at('spec'), spec);
    storedVersionFaults(faults.at('status'), stringsAt(object, 'status', 'storedVersions'), spec);
    if (old) changeFaults(faults.at('spec'), spec, objectAt(old, 'spec'), isEstablished(old));
    if (faults.causes.length === 0 && stringAt(spec, 'conversion', 'strategy') === 'Webhook')
      throw notImplemented(
        'conversion webhooks are not called here: give the definition one version, or the strategy None',
      );
  },
};

/** Removes what Go does not write: zero values of fields that are not pointers. Changes the version. */
function dropZeros(version: JsonObject): void {
  if (version.deprecated === false) delete version.deprecated;
  for (const column of objectsAt(version, 'additionalPrinterColumns')) {
    if (column.priority === 0) delete column.priority;
    for (const key of ['format', 'description']) if (column[key] === '') delete column[key];
  }
  dropSchemaZeros(objectAt(version, 'schema', 'openAPIV3Schema'));
}

function dropSchemaZeros(schema: JsonObject): void {
  for (const [key, value] of Object.entries(schema)) {
    const text = value === '' && TEXTS.has(key);
    if (text || (value === false && FLAGS.has(key))) delete schema[key];
  }
  for (const [child] of children(schema)) dropSchemaZeros(child);
  if (isObject(schema.not)) dropSchemaZeros(schema.not);
  for (const key of ['allOf', 'anyOf', 'oneOf'])
    for (const nested of objectsAt(schema, key)) dropSchemaZeros(nested);
}
