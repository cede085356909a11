import { admit } from '../admission/admit.ts';
import type { ApiObject } from '../api-object.ts';
import { withoutManagedTimes } from '../apply/managed-fields.ts';
import { trackUpdate } from '../apply/updater.ts';
import { assertNoEscalation } from '../auth/escalation.ts';
import { clone, equal, type JsonObject } from '../json.ts';
import { keepSystemMeta } from '../object-meta.ts';
import { conflict } from '../status-error.ts';
import {
  assertVersion,
  checkTarget,
  hookContext,
  managedWrite,
  readStored,
  type Target,
  validateObject,
  type Write,
} from './common.ts';

/** Replaces an object with a decoded one. Throws NotFound, Conflict, Invalid, BadRequest. */
export function updateObject(write: Write, decoded: ApiObject): ApiObject {
  const { resource } = write;
  checkTarget(write, decoded);
  const live = readStored(write.server, write);
  const { uid } = decoded.metadata;
  if (uid && uid !== live.metadata.uid) {
    const why = `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${live.metadata.uid}`;
    throw conflict(resource, write.name, why);
  }
  assertVersion(resource, live, decoded);
  return writeUpdate(write, live, decoded);
}

/** Writes a changed object: hooks, validation, ownership, storage. */
export function writeUpdate(write: Write, live: ApiObject, changed: ApiObject): ApiObject {
  const next = prepareUpdate(write, live, changed);
  return storeUpdate(write, live, trackUpdate(live, next, managedWrite(write, 'Update')));
}

/** Everything of an update before ownership and storage; apply and patch use it too. */
export function prepareUpdate(write: Write, live: ApiObject, decoded: ApiObject): ApiObject {
  const { server, resource, request } = write;
  const object = mergeSubresource(write, live, clone(decoded));
  keepSystemMeta(object, live);
  if (live.metadata.resourceVersion) object.metadata.resourceVersion = live.metadata.resourceVersion;
  const context = hookContext(write);
  resource.behaviour.zero?.(object);
  resource.behaviour.default?.(object, live);
  resource.behaviour.prepare?.(object, live, context);
  if (resource.hasGeneration && !equal(ungenerated(write, live), ungenerated(write, object))) {
    object.metadata.generation = (live.metadata.generation ?? 0) + 1;
  }
  assertNoEscalation(server.store, resource, object, live, request.user);
  admit(write, object, live);
  validateObject(write, object, live, context);
  return object;
}

/** The status subresource changes status only, the resource itself everything else. */
function mergeSubresource(target: Target, live: ApiObject, object: ApiObject): ApiObject {
  const { resource, subresource } = target;
  if (!resource.hasStatus) return object;
  if (subresource === 'status') {
    const { managedFields } = object.metadata;
    const metadata = resource.custom
      ? { ...live.metadata, ...(managedFields ? { managedFields } : {}) }
      : { ...object.metadata };
    if (!resource.custom) {
      if (live.metadata.labels) metadata.labels = live.metadata.labels;
      else delete metadata.labels;
    }
    const { status: _, ...rest } = live;
    const out: ApiObject = { ...(rest as ApiObject), metadata: clone(metadata) };
    if (object.status !== undefined) out.status = object.status;
    return out;
  }
  if (live.status === undefined) delete object.status;
  else object.status = live.status;
  return object;
}

/** What increments metadata.generation: all but metadata and status. For Deployments also annotations, except in writes of the status. */
function ungenerated({ resource, subresource }: Target, object: ApiObject): JsonObject {
  const { metadata, status, ...rest } = object;
  const { annotations } = metadata;
  if (resource.collection === 'apps/deployments' && subresource !== 'status' && annotations) {
    rest.annotations = annotations;
  }
  return resource.hasStatus || status === undefined ? rest : { ...rest, status };
}

/** Stores an update if something changed. A terminating object without finalizers is deleted. */
export function storeUpdate(
  { server, resource, request }: Write,
  live: ApiObject,
  object: ApiObject,
): ApiObject {
  if (request.dryRun) return object;
  if (mayGo(object)) {
    // The change itself is not stored: the DELETED event still shows the last finalizers.
    const last = server.store.remove(resource.collection, resource.toStored(live));
    resource.behaviour.deleted?.(last);
    return object;
  }
  if (equal(withoutManagedTimes(live), withoutManagedTimes(object))) return live;
  return resource.fromStored(server.store.put(resource.collection, resource.toStored(object)));
}

function mayGo(object: ApiObject): boolean {
  const { deletionTimestamp, finalizers, deletionGracePeriodSeconds } = object.metadata;
  if (!deletionTimestamp || (finalizers?.length ?? 0) > 0) return false;
  return (
    (deletionGracePeriodSeconds ?? 0) === 0 &&
    !(object.kind === 'Namespace' && hasNamespaceFinalizers(object))
  );
}

function hasNamespaceFinalizers(object: ApiObject): boolean {
  const spec = object.spec as JsonObject | undefined;
  return Array.isArray(spec?.finalizers) && spec.finalizers.length > 0;
}
