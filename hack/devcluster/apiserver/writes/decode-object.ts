import type { ApiObject } from '../api-object.ts';
import { splitApiVersion } from '../api-object.ts';
import { isObject, type JsonObject, stringAt } from '../json.ts';
import { apiVersionOf, type Resource } from '../resource.ts';
import { DecodeError, decodeBuiltin } from '../schema/decode.ts';
import { applyDefaults, dropNulls, prune } from '../schema/structural.ts';
import type { ServerContext, WriteRequest } from '../server-context.ts';
import { badRequest } from '../status-error.ts';

const META_SCHEMA = { $ref: '#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta' };

/**
 * Makes an object of a resource from a body: types checked, unknown fields dropped (or reported, by
 * fieldValidation), schema defaults of custom resources filled. Throws BadRequest.
 */
export function decodeObject(
  server: ServerContext,
  resource: Resource,
  body: JsonObject,
  request: WriteRequest,
): ApiObject {
  checkKind(resource, body);
  const unknown = resource.custom ? [] : undefined;
  const decoded = unknown
    ? decodeCustom(server, resource, body, unknown)
    : decodeTyped(server, resource, body);
  const { value } = decoded;
  reportUnknown(resource, decoded.unknown, request);
  value.apiVersion = apiVersionOf(resource);
  value.kind = resource.kind;
  if (!isObject(value.metadata)) value.metadata = {};
  return value as ApiObject;
}

function checkKind(resource: Resource, body: JsonObject): void {
  const apiVersion = stringAt(body, 'apiVersion');
  const kind = stringAt(body, 'kind');
  const wanted = apiVersionOf(resource);
  if (resource.custom) {
    if (apiVersion === wanted && kind === resource.kind) return;
    if (apiVersion === '' || kind === '') {
      const missing = apiVersion === '' ? 'apiVersion' : 'kind';
      throw badRequest(`Object '${missing}' is missing in '${JSON.stringify(body)}'`);
    }
    throw badRequest(
      `the API version in the data (${apiVersion}) does not match the expected API version (${wanted})`,
    );
  }
  const { version } = splitApiVersion(apiVersion);
  if (apiVersion !== '' && apiVersion !== wanted) {
    throw badRequest(
      `${kind} in version ${JSON.stringify(version)} cannot be handled as a ${resource.kind}: no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(apiVersion)} in scheme "pkg/api/legacyscheme/scheme.go:30"`,
    );
  }
  if (kind !== '' && kind !== resource.kind) {
    throw badRequest(
      `${kind} in version ${JSON.stringify(version)} cannot be handled as a ${resource.kind}: converting (${version}.${kind}) to (${resource.group || 'core'}.${resource.kind}): unknown conversion`,
    );
  }
}

function decodeTyped(
  server: ServerContext,
  resource: Resource,
  body: JsonObject,
): { value: JsonObject; unknown: string[] } {
  try {
    return decodeBuiltin(resource.schema, body, server.lookup, resource.kind);
  } catch (error) {
    if (error instanceof DecodeError) {
      throw badRequest(
        `${resource.kind} in version ${JSON.stringify(resource.version)} cannot be handled as a ${resource.kind}: ${error.message}`,
      );
    }
    throw error;
  }
}

function decodeCustom(
  server: ServerContext,
  resource: Resource,
  body: JsonObject,
  unknown: string[],
): { value: JsonObject; unknown: string[] } {
  const schema = resource.custom?.schema ?? {};
  const value: JsonObject = structuredClone(body);
  if (isObject(value.metadata)) {
    try {
      const decoded = decodeBuiltin(META_SCHEMA, value.metadata, server.lookup, 'ObjectMeta');
      unknown.push(...decoded.unknown.map((path) => `metadata.${path}`));
      value.metadata = decoded.value;
    } catch (error) {
      if (error instanceof DecodeError) throw badRequest(error.message);
      throw error;
    }
  }
  unknown.push(...prune(schema, value));
  dropNulls(schema, value);
  applyDefaults(schema, value);
  return { value, unknown };
}

function reportUnknown(resource: Resource, unknown: string[], request: WriteRequest): void {
  if (unknown.length === 0 || request.fieldValidation === 'Ignore') return;
  const texts = unknown.map((path) => `unknown field ${JSON.stringify(path)}`);
  if (request.fieldValidation === 'Warn') {
    request.warnings.push(...texts);
    return;
  }
  const text = `strict decoding error: ${texts.join(', ')}`;
  if (resource.custom) throw badRequest(text);
  throw badRequest(
    `${resource.kind} in version ${JSON.stringify(resource.version)} cannot be handled as a ${resource.kind}: ${text}`,
  );
}
