import { randomInt, randomUUID } from 'node:crypto';
import { type ApiObject, type Metadata, timestamp } from './api-object.ts';
import type { Faults } from './faults.ts';
import { isObject, type Json, type JsonObject, objectsAt, stringAt, stringsAt } from './json.ts';
import type { Resource } from './resource.ts';

const SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const SUBDOMAIN_RULE = `a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')`;
const LABEL = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const LABEL_RULE = `a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')`;
const NAME_PART_RULE = `name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')`;
const LABEL_VALUE_RULE = `a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')`;
const MAX_ANNOTATIONS = 262_144;
const QUALIFIED = /^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/;
const SUFFIX_ALPHABET = 'bcdfghjklmnpqrstvwxz2456789';
const MAX_GENERATED_BASE = 58;
/** Groups whose names are path segments rather than DNS names. */
const LOOSE_NAMES = new Set(['rbac.authorization.k8s.io']);

/** Collections whose names are labels; Services since RelaxedServiceNameValidation. */
const LABEL_NAMES = new Set(['namespaces', 'services']);

/** Sets what the server decides on create: uid, times, a generated name. Changes the object. */
export function fillCreateMeta(resource: Resource, object: ApiObject, namespace: string, now: Date): void {
  const { metadata } = object;
  for (const key of ['deletionTimestamp', 'deletionGracePeriodSeconds', 'selfLink', 'resourceVersion']) {
    delete metadata[key];
  }
  // Kinds without a counted generation have the one that was sent.
  if (resource.namespaced) metadata.namespace = namespace;
  else delete metadata.namespace;
  if (!metadata.name && metadata.generateName) metadata.name = generateName(metadata.generateName);
  metadata.uid = randomUUID();
  metadata.creationTimestamp = timestamp(now);
  if (resource.hasGeneration) metadata.generation = 1;
}

/** A name from a prefix, with five random characters as kube-apiserver appends. */
export function generateName(base: string): string {
  let suffix = '';
  for (let index = 0; index < 5; index++) suffix += SUFFIX_ALPHABET[randomInt(SUFFIX_ALPHABET.length)];
  return base.slice(0, MAX_GENERATED_BASE) + suffix;
}

/**
 * Takes over from the live object what an update leaves out or can't change. What it may not change is as sent, for
 * `metaFaults` to refuse (BeforeUpdate of apiserver). Changes the object.
 */
export function keepSystemMeta(object: ApiObject, old: ApiObject): void {
  const { metadata } = object;
  const before = old.metadata;
  delete metadata.selfLink;
  take(metadata, before, 'generation');
  take(metadata, before, 'creationTimestamp');
  take(metadata, before, 'namespace');
  if (!metadata.uid) take(metadata, before, 'uid');
  if (before.deletionTimestamp) take(metadata, before, 'deletionTimestamp');
  if (metadata.deletionGracePeriodSeconds === undefined) take(metadata, before, 'deletionGracePeriodSeconds');
}

function take(metadata: Metadata, before: Metadata, key: string): void {
  const value: Json | undefined = before[key];
  if (value === undefined) delete metadata[key];
  else metadata[key] = value;
}

/** Checks metadata of a new or changed object. */
export function metaFaults(
  faults: Faults,
  resource: Resource,
  object: ApiObject,
  old: ApiObject | undefined,
): void {
  const { metadata } = object;
  if (!old) {
    nameFaults(faults, resource, metadata);
    for (const name of stringsAt(metadata, 'finalizers'))
      if (!name.split('/').every((part) => part.length <= 253 && QUALIFIED.test(part)))
        faults.invalid('finalizers', name, NAME_PART_RULE);
    commonFaults(faults, metadata);
    return;
  }
  // The generic registry and the kind's strategy each check it.
  for (let time = 0; time < 2; time++) {
    changeFaults(faults, metadata, old.metadata);
    commonFaults(faults, metadata);
  }
}

function commonFaults(faults: Faults, metadata: Metadata): void {
  labelFaults(faults.at('labels'), metadata.labels);
  annotationFaults(faults, metadata);
  ownerFaults(faults, metadata);
}

function changeFaults(faults: Faults, metadata: Metadata, before: Metadata): void {
  const known = before.finalizers ?? [];
  const added = (metadata.finalizers ?? []).filter((finalizer) => !known.includes(finalizer));
  if (before.deletionTimestamp && added.length > 0) {
    const list = added.map((name) => JSON.stringify(name)).join(', ');
    const why = `no new finalizers can be added if the object is being deleted, found new finalizers []string{${list}}`;
    faults.forbidden('finalizers', why);
  }
  for (const key of ['uid', 'deletionTimestamp', 'deletionGracePeriodSeconds'])
    if (metadata[key] !== before[key]) faults.invalid(key, metadata[key], 'field is immutable');
}

function nameFaults(faults: Faults, resource: Resource, { name, generateName: base }: Metadata): void {
  // A prefix may end with a dash: the generated rest follows.
  if (base) nameFault(faults, 'generateName', resource, base, base.replace(/-$/, 'a'));
  if (name) nameFault(faults, 'name', resource, name);
  else faults.required('name', 'name or generateName is required');
}

function nameFault(faults: Faults, key: string, resource: Resource, shown: string, name = shown): void {
  if (LOOSE_NAMES.has(resource.group)) {
    if (/[/%]/.test(name)) faults.invalid(key, shown, `may not contain '/'`);
  } else if (!LABEL_NAMES.has(resource.collection)) subdomainFaults(faults, key, shown, name);
  else if (!LABEL.test(name) || name.length > 63) faults.invalid(key, shown, LABEL_RULE);
}

/** What is wrong with a DNS subdomain; `shown` is what the message names. */
export function subdomainFaults(faults: Faults, key: string, shown: string, name = shown): void {
  if (name.length > 253) faults.invalid(key, shown, 'must be no more than 253 characters');
  else if (!SUBDOMAIN.test(name)) faults.invalid(key, shown, SUBDOMAIN_RULE);
}

/** Whether a text is a label's key: a name, with a DNS subdomain and a slash before it or not. */
export function qualifiedName(name: string): boolean {
  const [last = '', prefix, ...more] = name.split('/').reverse();
  if (more.length > 0 || (prefix !== undefined && (!SUBDOMAIN.test(prefix) || prefix.length > 253)))
    return false;
  return QUALIFIED.test(last) && last.length <= 63;
}

/** Checks a map of labels. */
export function labelFaults(faults: Faults, labels: Json | undefined): void {
  for (const [key, value] of Object.entries(isObject(labels) ? labels : {})) {
    if (!qualifiedName(key)) faults.invalid('', key, NAME_PART_RULE);
    const text = String(value);
    if (text !== '' && (!QUALIFIED.test(text) || text.length > 63))
      faults.invalid('', text, LABEL_VALUE_RULE);
  }
}

function annotationFaults(faults: Faults, { annotations = {} }: Metadata): void {
  const size = Object.entries(annotations).reduce((sum, [key, value]) => sum + key.length + value.length, 0);
  for (const key of Object.keys(annotations))
    if (!qualifiedName(key.toLowerCase())) faults.invalid('annotations', key, NAME_PART_RULE);
  if (size > MAX_ANNOTATIONS) faults.tooLong('annotations', MAX_ANNOTATIONS);
}

function ownerFaults(faults: Faults, metadata: Metadata): void {
  const owners = objectsAt(metadata, 'ownerReferences');
  for (const owner of owners)
    for (const key of ['apiVersion', 'kind', 'name', 'uid']) {
      const why = key === 'apiVersion' ? 'version must not be empty' : 'must not be empty';
      if (stringAt(owner, key) === '') faults.invalid(`ownerReferences.${key}`, '', why);
    }
  const kinds = owners
    .filter(({ controller }) => controller === true)
    .map((owner) => `${stringAt(owner, 'kind')}/${stringAt(owner, 'name')}`);
  if (kinds.length < 2) return;
  const why = `Only one reference can have Controller set to true. Found "true" in references for ${kinds.join(' and ')}`;
  faults.invalid('ownerReferences', owners, why);
}

/** A copy of metadata parts for partial objects. */
export function partialMeta(object: ApiObject): JsonObject {
  return { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: object.metadata };
}
