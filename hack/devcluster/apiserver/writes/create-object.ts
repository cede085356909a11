import { admit } from '../admission/admit.ts';
import type { ApiObject } from '../api-object.ts';
import { trackUpdate } from '../apply/updater.ts';
import { assertNoEscalation } from '../auth/escalation.ts';
import { clone } from '../json.ts';
import { fillCreateMeta } from '../object-meta.ts';
import type { ServerContext, WriteRequest } from '../server-context.ts';
import { alreadyExists, StatusError } from '../status-error.ts';
import {
  assertNamespaceOpen,
  blankObject,
  hookContext,
  managedWrite,
  type Target,
  validateObject,
} from './common.ts';

/** Creates a decoded object. Throws AlreadyExists, Invalid, NotFound (namespace), Forbidden. */
export function createObject(
  server: ServerContext,
  target: Target,
  decoded: ApiObject,
  request: WriteRequest,
): ApiObject {
  if (decoded.metadata.resourceVersion)
    throw new StatusError(500, '', 'resourceVersion should not be set on objects to be created');
  const object = prepareCreate(server, target, decoded, request);
  const tracked = trackUpdate(
    blankObject(server, target.resource),
    object,
    managedWrite(server, target, request, 'Update'),
  );
  return storeNew(server, target, tracked, request);
}

/** Everything of a create before ownership and storage; apply uses it too. */
export function prepareCreate(
  server: ServerContext,
  target: Target,
  decoded: ApiObject,
  request: WriteRequest,
): ApiObject {
  const { resource } = target;
  const object = clone(decoded);
  if (resource.hasStatus) {
    if (resource.custom) delete object.status;
    else resetStatus(server, target, object);
  }
  fillCreateMeta(resource, object, target.namespace, server.now());
  assertNamespaceOpen(server, { ...target, name: object.metadata.name });
  const context = hookContext(server, target, request);
  resource.behaviour.zero?.(object);
  resource.behaviour.default?.(object, undefined);
  resource.behaviour.prepare?.(object, undefined, context);
  assertNoEscalation(server.store, resource, object, undefined, request.user);
  admit(server, target, object, undefined, request);
  validateObject(target, object, undefined, context);
  return object;
}

function resetStatus(server: ServerContext, target: Target, object: ApiObject): void {
  const blank = blankObject(server, target.resource);
  if (blank.status === undefined) delete object.status;
  else object.status = clone(blank.status);
}

/** Stores a new object, unless this is a dry run. Throws AlreadyExists. */
export function storeNew(
  server: ServerContext,
  target: Target,
  object: ApiObject,
  request: WriteRequest,
): ApiObject {
  const { resource } = target;
  const { name, namespace } = object.metadata;
  if (server.store.get(resource.collection, namespace ?? '', name)) {
    throw alreadyExists(resource, name);
  }
  const placed = clone(object);
  resource.behaviour.allocate?.(placed, server.store);
  if (request.dryRun) return placed;
  return resource.fromStored(server.store.put(resource.collection, resource.toStored(placed)));
}
