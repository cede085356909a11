import type { ApiObject } from '../api-object.ts';
import { FieldSet } from '../apply/field-set.ts';
import { managedTime } from '../apply/managed-fields.ts';
import type { ManagedWrite } from '../apply/updater.ts';
import { validateCustom } from '../crd/validate-custom.ts';
import { isObject, type Json, type JsonObject } from '../json.ts';
import { fieldInvalid, validateMeta } from '../object-meta.ts';
import { apiVersionOf, type Resource, type WriteContext } from '../resource.ts';
import { emptyStruct } from '../schema/decode.ts';
import type { ServerContext, WriteRequest } from '../server-context.ts';
import { type Cause, conflict, forbidden, invalid, notFound } from '../status-error.ts';

/** Where a write goes. */
export interface Target {
  resource: Resource;
  namespace: string;
  name: string;
  /** Empty for the resource itself. */
  subresource: string;
}

const STATUS_ONLY = FieldSet.fromJson({ 'f:status': {} });
const ALL_BUT_STATUS = FieldSet.fromJson({ 'f:metadata': {}, 'f:spec': {} });
const SPEC_AND_LABELS = FieldSet.fromJson({ 'f:spec': {}, 'f:metadata': { 'f:labels': {} } });
const NOTHING = new FieldSet();

function resetFields(target: Target): FieldSet {
  const { resource, subresource } = target;
  if (!resource.hasStatus) return NOTHING;
  if (subresource !== 'status') return STATUS_ONLY;
  return resource.custom ? ALL_BUT_STATUS : SPEC_AND_LABELS;
}

/** How ownership of this write's fields is noted. */
export function managedWrite(
  server: ServerContext,
  target: Target,
  request: WriteRequest,
  operation: 'Apply' | 'Update',
): ManagedWrite {
  return {
    type: target.resource.type,
    identity: {
      manager: request.fieldManager,
      operation,
      apiVersion: apiVersionOf(target.resource),
      subresource: target.subresource,
    },
    reset: resetFields(target),
    time: managedTime(server.now()),
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
export function hookContext(server: ServerContext, target: Target, request: WriteRequest): WriteContext {
  return {
    subresource: target.subresource,
    now: server.now(),
    dryRun: request.dryRun,
    username: request.user.username,
    warn: (text) => request.warnings.push(text),
  };
}

/** Throws Invalid when metadata, schema or the kind's own rules are broken. */
export function validateObject(
  target: Target,
  object: ApiObject,
  old: ApiObject | undefined,
  context: WriteContext,
): void {
  const { resource } = target;
  const causes: Cause[] = validateMeta(resource, object, old);
  if (resource.custom) causes.push(...validateCustom(resource, object, old));
  else causes.push(...(resource.behaviour.validate?.(object, old, context) ?? []));
  if (causes.length > 0) throw invalid(resource, object.metadata.name ?? '', causes);
}

/** Throws NotFound or Forbidden when objects can't be made in this namespace. */
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

/** Throws Conflict when the sent resourceVersion or uid is not the live one; for an applied uid Invalid, as kube-apiserver does. */
export function assertCurrent(
  resource: Resource,
  live: ApiObject,
  sent: JsonObject,
  how: 'Update' | 'Apply',
): void {
  const metadata = isObject(sent.metadata) ? sent.metadata : {};
  const version: Json | undefined = metadata.resourceVersion;
  if (
    typeof version === 'string' &&
    version !== '' &&
    version !== '0' &&
    version !== live.metadata.resourceVersion
  ) {
    throw conflict(resource, live.metadata.name);
  }
  const uid: Json | undefined = metadata.uid;
  if (typeof uid === 'string' && uid !== '' && uid !== live.metadata.uid) {
    if (how === 'Apply') {
      throw invalid(resource, live.metadata.name, [fieldInvalid('metadata.uid', uid, 'field is immutable')]);
    }
    throw conflict(
      resource,
      live.metadata.name,
      `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${live.metadata.uid}`,
    );
  }
}
