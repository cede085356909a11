import type { ApiObject } from '../api-object.ts';
import { parseObject, parseText } from '../http-message.ts';
import { isObject, type Json, type JsonObject } from '../json.ts';
import { jsonPatch } from '../patch/json-patch.ts';
import { mergePatch } from '../patch/merge-patch.ts';
import { strategicMergePatch } from '../patch/strategic-merge-patch.ts';
import type { ServerContext, WriteRequest } from '../server-context.ts';
import { badRequest, conflict, unsupportedMediaType } from '../status-error.ts';
import { applyObject } from '../writes/apply-object.ts';
import { readStored, type Target } from '../writes/common.ts';
import { decodeObject } from '../writes/decode-object.ts';
import { writeUpdate } from '../writes/update-object.ts';

const STRATEGIC = 'application/strategic-merge-patch+json';
const PLAIN_PATCHES = ['application/json-patch+json', 'application/merge-patch+json'];
const APPLY_PATCHES = ['application/apply-patch+yaml', 'application/apply-patch+cbor'];

/** Answers PATCH: returns the object and whether an apply made it. */
export function patchObject(
  server: ServerContext,
  target: Target,
  patch: { text: string; type: string; force: boolean },
  request: WriteRequest,
): { object: ApiObject; created: boolean } {
  const { resource } = target;
  if (patch.type === 'application/apply-patch+yaml') {
    const body = parseObject(patch.text, 'yaml', resource.kind);
    return applyObject(server, target, body, request, patch.force);
  }
  assertPatchType(patch.type, resource.custom !== undefined);
  const live = readStored(server, target);
  const patched = patchedBody(server, target.resource.schema, live, patch);
  const version = isObject(patched.metadata) ? patched.metadata.resourceVersion : undefined;
  if (typeof version === 'string' && version !== live.metadata.resourceVersion)
    throw conflict(resource, target.name);
  checkIdentity(live, patched);
  const decoded = decodeObject(server, resource, patched, request);
  return { object: writeUpdate(server, target, live, decoded, request), created: false };
}

/** Throws UnsupportedMediaType for patch types that a kind does not take. */
export function assertPatchType(type: string, custom: boolean): void {
  if (PLAIN_PATCHES.includes(type) || (type === STRATEGIC && !custom)) return;
  const accepted = custom
    ? [...PLAIN_PATCHES, APPLY_PATCHES[0] ?? '']
    : [...PLAIN_PATCHES, STRATEGIC, APPLY_PATCHES[0] ?? ''];
  throw unsupportedMediaType(accepted);
}

/** The live object with a JSON, merge or strategic merge patch laid over. */
export function patchedBody(
  server: ServerContext,
  schema: JsonObject,
  live: JsonObject,
  patch: { text: string; type: string },
): JsonObject {
  const value: Json = parseText(patch.text, 'json', 'Patch');
  if (patch.type === 'application/json-patch+json') {
    const out = jsonPatch(live, value);
    if (!isObject(out)) throw badRequest('the patched object is no object');
    return out;
  }
  if (!isObject(value))
    throw badRequest('json: cannot unmarshal array into Go value of type map[string]interface {}');
  if (patch.type === STRATEGIC) return strategicMergePatch(live, value, schema, server.lookup);
  return mergePatch(live, value) as JsonObject;
}

function checkIdentity(live: ApiObject, patched: JsonObject): void {
  const metadata = isObject(patched.metadata) ? patched.metadata : {};
  if (metadata.name !== undefined && metadata.name !== live.metadata.name) {
    throw badRequest(
      `the name of the object (${String(metadata.name)}) does not match the name on the URL (${live.metadata.name})`,
    );
  }
}
