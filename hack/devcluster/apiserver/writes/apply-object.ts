import type { ApiObject } from '../api-object.ts';
import { applyConfiguration } from '../apply/updater.ts';
import type { ParsedBody } from '../http-message.ts';
import { type JsonObject, objectAt } from '../json.ts';
import type { WriteRequest } from '../server-context.ts';
import { badRequest, conflict, notFound } from '../status-error.ts';
import { assertVersion, blankObject, checkTarget, managedWrite, type Target, type Write } from './common.ts';
import { prepareCreate, storeNew } from './create-object.ts';
import { decodeConfiguration, decodeMerged } from './decode-object.ts';
import { prepareUpdate, storeUpdate } from './update-object.ts';

/**
 * Server-side apply of a configuration as it was sent. Returns the object, and whether it was created.
 * Throws Conflict, Invalid, BadRequest, NotFound (apply to a subresource of an object that does not exist).
 */
export function applyObject(
  write: Write,
  body: ParsedBody<JsonObject>,
  force: boolean,
): { object: ApiObject; created: boolean } {
  const { server, resource, request } = write;
  const stored = server.store.get(resource.collection, write.namespace, write.name);
  if (!stored && write.subresource !== '') throw notFound(resource, write.name);
  const metadata = objectAt(body.value, 'metadata');
  if (metadata.managedFields !== undefined && metadata.managedFields !== null)
    throw badRequest('metadata.managedFields must be nil');
  const configuration = decodeConfiguration(resource, body.value);
  const live = stored ? resource.fromStored(stored) : undefined;
  const finish = (merged: ApiObject): ApiObject => {
    checkText(body.faults, request);
    const decoded = decodeMerged(server, resource, merged);
    checkTarget(write, decoded);
    if (live) assertVersion(resource, live, decoded);
    return live ? prepareUpdate(write, live, decoded) : prepareCreate(write, unborn(write, decoded));
  };
  const blank = blankObject(server, resource);
  const managed = managedWrite(write, 'Apply');
  const result = applyConfiguration(live ?? blank, configuration, managed, { force, blank, finish });
  return live
    ? { object: storeUpdate(write, live, result), created: false }
    : { object: storeNew(write, result), created: true };
}

/** Throws Conflict when a uid was applied though there is no object. */
function unborn({ resource, name }: Target, decoded: ApiObject): ApiObject {
  const { uid, resourceVersion: _, ...metadata } = decoded.metadata;
  if (!uid) return { ...decoded, metadata };
  const why = `uid mismatch: the provided object specified uid ${uid}, and no existing object was found`;
  throw conflict(resource, name, why);
}

/** Keys that come twice in the text are refused or warned of, by fieldValidation. */
function checkText(faults: readonly string[], request: WriteRequest): void {
  if (faults.length === 0 || request.fieldValidation === 'Ignore') return;
  if (request.fieldValidation === 'Strict')
    throw badRequest(`error strict decoding patch: ${faults.join(', ')}`);
  request.warnings.push(...faults);
}
