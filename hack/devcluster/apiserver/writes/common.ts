import { type ApiObject, timestamp } from '../api-object.ts';
import { FieldSet } from '../apply/field-set.ts';
import type { ManagedWrite } from '../apply/managed-write.ts';
import { fieldElement } from '../apply/path-element.ts';
import { validateCustom } from '../crd/validate-custom.ts';
import { Faults, fieldInvalid } from '../faults.ts';
import { type JsonObject, objectAt } from '../json.ts';
import { metaFaults } from '../object-meta.ts';
import { apiVersionOf, type Resource, type WriteContext } from '../resource.ts';
import { emptyStruct } from '../schema/decode.ts';
import type { ServerContext, WriteRequest } from '../server-context.ts';
import { badRequest, conflict, forbidden, invalid, notFound, StatusError } from '../status-error.ts';
import { words } from '../words.ts';
import { warnOfFinalizers } from './metadata-warnings.ts';

/** Where a write goes. */
export interface Target {
  resource: Resource;
  namespace: string;
  name: string;
  /** Empty for the resource itself. */
  subresource: string;
}

const STATUS_ONLY = FieldSet.fromJson({ 'f:status': {} });
const SPEC_AND_LABELS = FieldSet.fromJson({ 'f:spec': {}, 'f:metadata': { 'f:labels': {} } });
const NOTHING = new FieldSet();

function resetFields(target: Target): FieldSet {
  const { resource, subresource } = target;
  if (!resource.hasStatus) return NOTHING;
  if (subresource !== 'status') return STATUS_ONLY;
  return resource.custom ? allButStatus(resource.schema) : SPEC_AND_LABELS;
}

function allButStatus(schema: JsonObject): FieldSet {
  const fields = ['metadata', ...Object.keys(objectAt(schema, 'properties'))];
  return new FieldSet(new Set(fields.filter((field) => field !== 'status').map(fieldElement)));
}

/** A write: where it goes, who sends it and how. */
export interface Write extends Target {
  server: ServerContext;
  request: WriteRequest;
}

/** How ownership of this write's fields is recorded. */
export function managedWrite(write: Write, operation: 'Apply' | 'Update'): ManagedWrite {
  return {
    type: write.resource.type,
    identity: {
      manager: write.request.fieldManager,
      operation,
      apiVersion: apiVersionOf(write.resource),
      subresource: write.subresource,
    },
    reset: resetFields(write),
    time: timestamp(write.server.now()),
  };
}

/** The object that a create is compared with: what the kind's Go type writes when nothing was set. */
export function blankObject(server: ServerContext, resource: Resource): ApiObject {
  const blank: JsonObject = resource.custom ? {} : emptyStruct(resource.schema, server.lookup);
  const object: ApiObject = {
    ...blank,
    apiVersion: apiVersionOf(resource),
    kind: resource.kind,
    metadata: { name: '' },
  };
  resource.behaviour.zero?.(object);
  return object;
}

/** The context that hooks of a kind get. */
export function hookContext({ server, request, subresource }: Write): WriteContext {
  return {
    subresource,
    now: server.now(),
    dryRun: request.dryRun,
    username: request.user.username,
    warn: (text) => request.warnings.push(text),
  };
}

/** Throws Invalid when metadata, schema or the kind's own rules are broken. */
export function validateObject(
  { resource }: Target,
  object: ApiObject,
  old: ApiObject | undefined,
  context: WriteContext,
): void {
  const faults = new Faults();
  const { causes } = faults;
  metaFaults(faults.at('metadata'), resource, object, old);
  if (resource.custom) warnOfFinalizers(object, old, context.warn);
  if (resource.custom) causes.push(...validateCustom(resource, object, old, context));
  else resource.behaviour.validate?.(faults, object, old, context);
  // The strategy of Events is the core group's, whichever group was asked.
  const subject = resource.collection === 'events' ? { ...resource, group: '' } : resource;
  if (causes.length > 0) throw invalid(subject, object.metadata.name ?? '', causes);
}

/** Throws NotFound or Forbidden when no objects can be created in this namespace. */
export function assertNamespaceOpen(server: ServerContext, target: Target): void {
  const { resource, namespace } = target;
  if (!resource.namespaced) return;
  const found = server.store.get('namespaces', '', namespace);
  if (!found) throw notFound({ group: '', plural: 'namespaces', kind: 'Namespace' }, namespace);
  if (!found.metadata.deletionTimestamp) return;
  const why = `unable to create new content in namespace ${namespace} because it is being terminated`;
  throw forbidden(resource, target.name, why, [
    {
      reason: 'NamespaceTerminating',
      field: 'metadata.namespace',
      message: `namespace ${namespace} is being terminated`,
    },
  ]);
}

/** The stored object in the asked version. Throws NotFound. */
export function readStored(server: ServerContext, target: Target): ApiObject {
  const found = server.store.get(target.resource.collection, target.namespace, target.name);
  if (!found) throw notFound(target.resource, target.name);
  return target.resource.fromStored(found);
}

/** Kinds that are only updated with a resourceVersion (AllowUnconditionalUpdate of their strategies). */
const CONDITIONAL = words(`apiextensions.k8s.io/customresourcedefinitions apiregistration.k8s.io/apiservices
  coordination.k8s.io/leases policy/poddisruptionbudgets`);

/** Throws Conflict when the sent resourceVersion is not the live one, Invalid when it is missing and the kind requires one. */
export function assertVersion(resource: Resource, live: ApiObject, sent: ApiObject): void {
  const version = sent.metadata.resourceVersion ?? '';
  if (version !== '' && !/^\d+$/.test(version))
    throw new StatusError(500, '', `strconv.ParseUint: parsing ${JSON.stringify(version)}: invalid syntax`);
  if (Number(version) === 0) {
    if (!resource.custom && !CONDITIONAL.has(resource.collection)) return;
    const why = fieldInvalid('metadata.resourceVersion', 0, 'must be specified for an update');
    throw invalid({ ...resource, kind: resource.plural }, live.metadata.name, [why]);
  }
  if (version !== live.metadata.resourceVersion) throw conflict(resource, live.metadata.name);
}

/** Throws BadRequest when an object is not the one that the request names. */
export function checkTarget(target: Target, object: ApiObject): void {
  const { name, namespace } = object.metadata;
  if (target.resource.namespaced && namespace && namespace !== target.namespace)
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
  if (!name)
    throw badRequest(
      `the name of the object (${target.name} based on URL) was undeterminable: name must be provided`,
    );
  if (name !== target.name)
    throw badRequest(`the name of the object (${name}) does not match the name on the URL (${target.name})`);
}
