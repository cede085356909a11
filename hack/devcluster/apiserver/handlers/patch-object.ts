import type { ApiObject } from '../api-object.ts';
import { type ParsedBody, parseObject, parseText } from '../http-message.ts';
import { arrayAt, isObject, type Json, type JsonObject, objectsAt } from '../json.ts';
import { jsonPatch } from '../patch/json-patch.ts';
import { mergePatch } from '../patch/merge-patch.ts';
import { strategicMergePatch } from '../patch/strategic-merge-patch.ts';
import type { ServerContext } from '../server-context.ts';
import { badRequest, unsupportedMediaType } from '../status-error.ts';
import { applyObject } from '../writes/apply-object.ts';
import { assertVersion, checkTarget, readStored, type Write } from '../writes/common.ts';
import { decodePatched, invalidPatch } from '../writes/decode-object.ts';
import { writeUpdate } from '../writes/update-object.ts';

const STRATEGIC = 'application/strategic-merge-patch+json';
const JSON_PATCH = 'application/json-patch+json';
const PLAIN_PATCHES = [JSON_PATCH, 'application/merge-patch+json'];
const APPLY = 'application/apply-patch+yaml';

/** Answers PATCH: returns the object, and whether an apply created it. */
export function patchObject(
  write: Write,
  patch: { text: string; type: string; force: boolean },
): { object: ApiObject; created: boolean } {
  const { server, resource, request } = write;
  if (patch.type === APPLY) {
    const body = parseObject(patch.text, 'yaml', resource.kind);
    return applyObject(write, body, patch.force);
  }
  const parsed = parsePatch(patch);
  const live = readStored(server, write);
  const patched = patchedBody(server, resource.schema, live, { ...patch, value: parsed.value });
  const decoded = decodePatched(server, resource, patched, request, parsed.faults);
  checkTarget(write, decoded);
  assertVersion(resource, live, decoded);
  return { object: writeUpdate(write, live, decoded), created: false };
}

/** Throws UnsupportedMediaType for patch types that a kind does not take. */
export function assertPatchType(type: string, custom: boolean): void {
  const accepted = custom ? [...PLAIN_PATCHES, APPLY] : [...PLAIN_PATCHES, STRATEGIC, APPLY];
  if (!accepted.includes(type)) throw unsupportedMediaType(accepted);
}

/** Reads a JSON, merge or strategic merge patch. Throws BadRequest when it is none. */
export function parsePatch({ text, type }: { text: string; type: string }): ParsedBody {
  let parsed: ParsedBody;
  try {
    parsed = parseText(text, 'json', 'Patch');
  } catch {
    throw badRequest('error decoding patch: the body is not JSON');
  }
  const operations = type === JSON_PATCH;
  if (
    operations !== Array.isArray(parsed.value) ||
    typeof parsed.value !== 'object' ||
    parsed.value === null
  ) {
    const wanted = operations ? '[]handlers.jsonPatchOp' : 'map[string]interface {}';
    const got = Array.isArray(parsed.value) ? 'array' : typeof parsed.value;
    throw badRequest(`error decoding patch: json: cannot unmarshal ${got} into Go value of type ${wanted}`);
  }
  if (!operations) return parsed;
  if (!arrayAt({ list: parsed.value }, 'list').every(isObject))
    throw badRequest(
      'error decoding patch: json: cannot unmarshal into Go value of type handlers.jsonPatchOp',
    );
  const unknown = objectsAt({ list: parsed.value }, 'list').flatMap((operation, index) =>
    Object.keys(operation)
      .filter((key) => !['op', 'path', 'from', 'value'].includes(key))
      .map((key) => `json patch unknown field "[${index}].${key}"`),
  );
  return { ...parsed, faults: [...parsed.faults.map((fault) => `json patch ${fault}`), ...unknown] };
}

/** The live object with a JSON, merge or strategic merge patch laid over. */
export function patchedBody(
  server: ServerContext,
  schema: JsonObject,
  live: JsonObject,
  patch: { value: Json; type: string },
): JsonObject {
  if (patch.type === JSON_PATCH) {
    const out = jsonPatch(live, patch.value);
    if (!isObject(out)) throw invalidPatch(out, 'the patched object is no object');
    return out;
  }
  if (patch.type === STRATEGIC && isObject(patch.value))
    return strategicMergePatch(live, patch.value, schema, server.lookup);
  return mergePatch(live, patch.value) as JsonObject;
}
