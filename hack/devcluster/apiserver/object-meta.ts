import { randomInt, randomUUID } from 'node:crypto';
import { type ApiObject, type Metadata, timestamp } from './api-object.ts';
import { arrayAt, isObject, type Json, type JsonObject, objectsAt, stringAt, stringsAt } from './json.ts';
import type { Resource } from './resource.ts';
import type { Cause } from './status-error.ts';

const SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const SUBDOMAIN_RULE = `a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')`;
const LABEL = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const LABEL_RULE = `a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')`;
const NAME_PART_RULE = `name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')`;
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
  // Kinds whose generation nobody counts keep what was sent.
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
 * `validateMeta` to refuse (BeforeUpdate of apiserver). Changes the object.
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
export function validateMeta(resource: Resource, object: ApiObject, old: ApiObject | undefined): Cause[] {
  const { metadata } = object;
  const common = [
    ...validateLabelMap(metadata.labels, 'metadata.labels'),
    ...validateAnnotations(metadata),
    ...validateOwners(metadata),
  ];
  if (!old) return [...validateName(resource, metadata), ...common, ...validateFinalizers(metadata)];
  const causes = [...newFinalizers(metadata, old.metadata), ...immutable(metadata, old.metadata), ...common];
  // The generic registry and the kind's strategy each check it.
  return [...causes, ...causes];
}

function validateFinalizers(metadata: Metadata): Cause[] {
  const names = stringsAt(metadata, 'finalizers');
  const sound = (name: string): boolean =>
    name.split('/').every((part) => part.length <= 253 && QUALIFIED.test(part));
  return names
    .filter((name) => !sound(name))
    .map((name) => fieldInvalid('metadata.finalizers', name, NAME_PART_RULE));
}

function newFinalizers(metadata: Metadata, before: Metadata): Cause[] {
  if (!before.deletionTimestamp) return [];
  const known = before.finalizers ?? [];
  const added = (metadata.finalizers ?? []).filter((finalizer) => !known.includes(finalizer));
  if (added.length === 0) return [];
  const list = added.map((name) => JSON.stringify(name)).join(', ');
  const message = `Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{${list}}`;
  return [{ reason: 'FieldValueForbidden', field: 'metadata.finalizers', message }];
}

function immutable(metadata: Metadata, before: Metadata): Cause[] {
  return ['uid', 'deletionTimestamp', 'deletionGracePeriodSeconds']
    .filter((key) => metadata[key] !== before[key])
    .map((key) => fieldInvalid(`metadata.${key}`, metadata[key] ?? null, 'field is immutable'));
}

function validateName(resource: Resource, metadata: Metadata): Cause[] {
  const { name, generateName: base } = metadata;
  // A prefix may end with a dash: the generated rest follows.
  const causes = base ? nameFaults(resource, 'metadata.generateName', base, base.replace(/-$/, 'a')) : [];
  if (name) return [...causes, ...nameFaults(resource, 'metadata.name', name)];
  return [...causes, fieldRequired('metadata.name', 'name or generateName is required')];
}

function nameFaults(resource: Resource, field: string, shown: string, name = shown): Cause[] {
  if (LOOSE_NAMES.has(resource.group)) {
    return name.includes('/') || name.includes('%')
      ? [fieldInvalid(field, shown, `may not contain '/'`)]
      : [];
  }
  if (LABEL_NAMES.has(resource.collection)) {
    return LABEL.test(name) && name.length <= 63 ? [] : [fieldInvalid(field, shown, LABEL_RULE)];
  }
  return subdomainFaults(field, shown, name);
}

/** What is wrong with a DNS subdomain; `shown` is what the message names. */
export function subdomainFaults(field: string, shown: string, name = shown): Cause[] {
  if (name.length > 253) return [fieldInvalid(field, shown, 'must be no more than 253 characters')];
  return SUBDOMAIN.test(name) ? [] : [fieldInvalid(field, shown, SUBDOMAIN_RULE)];
}

/** Whether a text is a label's key: a name, with a DNS subdomain and a slash before it or not. */
export function qualifiedName(name: string): boolean {
  const parts = name.split('/');
  if (parts.length > 2) return false;
  const last = parts.at(-1) ?? '';
  const prefix = parts.length === 2 ? (parts[0] ?? '') : undefined;
  if (prefix !== undefined && (!SUBDOMAIN.test(prefix) || prefix.length > 253)) return false;
  return QUALIFIED.test(last) && last.length <= 63;
}

/** Checks a map of labels under any field. */
export function validateLabelMap(labels: Json | undefined, field: string): Cause[] {
  const causes: Cause[] = [];
  if (!isObject(labels)) return causes;
  for (const [key, value] of Object.entries(labels)) {
    if (!qualifiedName(key)) causes.push(fieldInvalid(field, key, NAME_PART_RULE));
    const text = String(value);
    if (text !== '' && (!QUALIFIED.test(text) || text.length > 63)) {
      causes.push(
        fieldInvalid(
          field,
          text,
          `a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')`,
        ),
      );
    }
  }
  return causes;
}

function validateAnnotations(metadata: Metadata): Cause[] {
  const causes: Cause[] = [];
  let size = 0;
  for (const [key, value] of Object.entries(metadata.annotations ?? {})) {
    size += key.length + value.length;
    if (!qualifiedName(key.toLowerCase()))
      causes.push(fieldInvalid('metadata.annotations', key, NAME_PART_RULE));
  }
  if (size > 262_144) {
    causes.push({
      reason: 'FieldValueTooLong',
      field: 'metadata.annotations',
      message: 'Too long: may not be more than 262144 bytes',
    });
  }
  return causes;
}

function validateOwners(metadata: Metadata): Cause[] {
  const causes: Cause[] = [];
  const owners = objectsAt(metadata, 'ownerReferences');
  for (const owner of owners) {
    for (const key of ['apiVersion', 'kind', 'name', 'uid']) {
      const why = key === 'apiVersion' ? 'version must not be empty' : 'must not be empty';
      if (stringAt(owner, key) === '') causes.push(fieldInvalid(`metadata.ownerReferences.${key}`, '', why));
    }
  }
  const controllers = owners.filter((owner) => owner.controller === true);
  if (controllers.length > 1) {
    const kinds = controllers
      .map((owner) => `${stringAt(owner, 'kind')}/${stringAt(owner, 'name')}`)
      .join(' and ');
    causes.push({
      reason: 'FieldValueInvalid',
      field: 'metadata.ownerReferences',
      message: `Invalid value: ${JSON.stringify(arrayAt(metadata, 'ownerReferences'))}: Only one reference can have Controller set to true. Found "true" in references for ${kinds}`,
    });
  }
  return causes;
}

/** An Invalid cause. */
export function fieldInvalid(field: string, value: Json, why: string): Cause {
  return { reason: 'FieldValueInvalid', field, message: `Invalid value: ${JSON.stringify(value)}: ${why}` };
}

/** A Required cause. */
export function fieldRequired(field: string, why = ''): Cause {
  return {
    reason: 'FieldValueRequired',
    field,
    message: why === '' ? 'Required value' : `Required value: ${why}`,
  };
}

/** A copy of metadata parts for partial objects. */
export function partialMeta(object: ApiObject): JsonObject {
  return { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: object.metadata };
}
