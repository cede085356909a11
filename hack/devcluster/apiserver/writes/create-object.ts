import { admit } from '../admission/admit.ts';
import type { ApiObject } from '../api-object.ts';
import { trackUpdate } from '../apply/updater.ts';
import { assertNoEscalation } from '../auth/escalation.ts';
import { clone } from '../json.ts';
import { fillCreateMeta } from '../object-meta.ts';
import { alreadyExists, StatusError } from '../status-error.ts';
import {
  assertNamespaceOpen,
  blankObject,
  hookContext,
  managedWrite,
  validateObject,
  type Write,
} from './common.ts';

/** Creates a decoded object. Throws AlreadyExists, Invalid, NotFound (namespace), Forbidden. */
export function createObject(write: Write, decoded: ApiObject): ApiObject {
  if (decoded.metadata.resourceVersion)
    throw new StatusError(500, '', 'resourceVersion should not be set on objects to be created');
  const object = prepareCreate(write, decoded);
  const blank = blankObject(write.server, write.resource);
  return storeNew(write, trackUpdate(blank, object, managedWrite(write, 'Update')));
}

/** Everything of a create before ownership and storage; apply uses it too. */
export function prepareCreate(write: Write, decoded: ApiObject): ApiObject {
  const { server, resource, request } = write;
  const object = clone(decoded);
  if (resource.hasStatus) {
    if (resource.custom) delete object.status;
    else resetStatus(write, object);
  }
  fillCreateMeta(resource, object, write.namespace, server.now());
  assertNamespaceOpen(server, { ...write, name: object.metadata.name });
  const context = hookContext(write);
  resource.behaviour.zero?.(object);
  resource.behaviour.default?.(object, undefined);
  resource.behaviour.prepare?.(object, undefined, context);
  assertNoEscalation(server.store, resource, object, undefined, request.user);
  admit(write, object, undefined);
  validateObject(write, object, undefined, context);
  return object;
}

function resetStatus({ server, resource }: Write, object: ApiObject): void {
  const blank = blankObject(server, resource);
  if (blank.status === undefined) delete object.status;
  else object.status = clone(blank.status);
}

/** Stores a new object, unless this is a dry run. Throws AlreadyExists. */
export function storeNew({ server, resource, request }: Write, object: ApiObject): ApiObject {
  const { name, namespace } = object.metadata;
  if (server.store.get(resource.collection, namespace ?? '', name)) {
    throw alreadyExists(resource, name);
  }
  const placed = clone(object);
  resource.behaviour.allocate?.(placed, server.store);
  if (request.dryRun) return placed;
  return resource.fromStored(server.store.put(resource.collection, resource.toStored(placed)));
}
