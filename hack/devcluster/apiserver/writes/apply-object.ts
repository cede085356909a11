import type { ApiObject } from '../api-object.ts';
import { applyConfiguration } from '../apply/updater.ts';
import { isObject, type JsonObject } from '../json.ts';
import { fieldRequired } from '../object-meta.ts';
import type { ServerContext, WriteRequest } from '../server-context.ts';
import { badRequest, invalid, notFound } from '../status-error.ts';
import { assertCurrent, blankObject, managedWrite, type Target } from './common.ts';
import { prepareCreate, storeNew } from './create-object.ts';
import { decodeConfiguration, decodeObject } from './decode-object.ts';
import { prepareUpdate, storeUpdate } from './update-object.ts';

/**
 * Server-side apply of a configuration as it was sent. Returns the object and whether it was made.
 * Throws Conflict, Invalid, BadRequest, NotFound (apply to a subresource of what is not there).
 */
export function applyObject(
  server: ServerContext,
  target: Target,
  body: JsonObject,
  request: WriteRequest,
  force: boolean,
): { object: ApiObject; created: boolean } {
  const { resource } = target;
  checkConfiguration(target, body, request);
  const configuration = decodeConfiguration(server, resource, body);
  const stored = server.store.get(resource.collection, target.namespace, target.name);
  if (!stored) {
    if (target.subresource !== '') throw notFound(resource, target.name);
    if (isObject(body.metadata) && body.metadata.resourceVersion) throw notFound(resource, target.name);
    return { object: applyNew(server, target, configuration, request, force), created: true };
  }
  const live = resource.fromStored(stored);
  assertCurrent(resource, live, body, 'Apply');
  const { resourceVersion: _, uid: __, ...metadata } = configuration.metadata;
  const config = { ...configuration, metadata: metadata as ApiObject['metadata'] };
  const result = applyConfiguration(live, config, managedWrite(server, target, request, 'Apply'), {
    force,
    finish: (merged) =>
      prepareUpdate(server, target, live, decodeObject(server, resource, merged, quiet(request)), request),
  });
  return { object: storeUpdate(server, target, live, result, request), created: false };
}

function applyNew(
  server: ServerContext,
  target: Target,
  configuration: ApiObject,
  request: WriteRequest,
  force: boolean,
): ApiObject {
  const { resource } = target;
  const result = applyConfiguration(
    blankObject(server, resource),
    configuration,
    managedWrite(server, target, request, 'Apply'),
    {
      force,
      finish: (merged) => {
        const named = { ...merged, metadata: { ...merged.metadata, name: target.name } };
        return prepareCreate(server, target, decodeObject(server, resource, named, quiet(request)), request);
      },
    },
  );
  return storeNew(server, target, result, request);
}

/** The merged object is decoded again, but only what the client sent is reported. */
function quiet(request: WriteRequest): WriteRequest {
  return { ...request, fieldValidation: 'Ignore' };
}

function checkConfiguration(target: Target, body: JsonObject, request: WriteRequest): void {
  const { resource } = target;
  if (request.fieldManager === '') {
    throw invalid({ group: 'meta.k8s.io', plural: '', kind: 'PatchOptions' }, '', [
      fieldRequired('fieldManager', 'is required for apply patch'),
    ]);
  }
  const metadata = isObject(body.metadata) ? body.metadata : {};
  if (metadata.managedFields !== undefined && metadata.managedFields !== null)
    throw badRequest('metadata.managedFields must be nil');
  if (metadata.name !== undefined && metadata.name !== target.name) {
    throw badRequest(
      `the name of the object (${String(metadata.name)}) does not match the name on the URL (${target.name})`,
    );
  }
  if (resource.namespaced && metadata.namespace !== undefined && metadata.namespace !== target.namespace) {
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
  }
}
