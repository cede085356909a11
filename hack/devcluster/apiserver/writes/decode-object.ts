import type { ApiObject } from '../api-object.ts';
import { splitApiVersion } from '../api-object.ts';
import { duplicateItems } from '../apply/duplicate-items.ts';
import { clone, isObject, type JsonObject, stringAt } from '../json.ts';
import { apiVersionOf, type Resource } from '../resource.ts';
import { type Decoded, DecodeError, decodeBuiltin } from '../schema/decode.ts';
import { applyDefaults, dropNulls, prune } from '../schema/structural.ts';
import type { ServerContext, WriteRequest } from '../server-context.ts';
import { badRequest, StatusError } from '../status-error.ts';

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
  const { value, unknown } = decode(server, resource, body, false);
  reportUnknown(resource, unknown, request);
  if (resource.custom) applyDefaults(resource.custom.schema, value);
  return identified(resource, value);
}

/**
 * Reads an applied configuration: only what was sent, without defaults. Throws BadRequest, and 500 for
 * a field that the schema does not have and for items of the same key, as kube-apiserver does.
 */
export function decodeConfiguration(server: ServerContext, resource: Resource, body: JsonObject): ApiObject {
  checkKind(resource, body);
  const { value, unknown } = decode(server, resource, body, true);
  const object = identified(resource, value);
  const fields = [
    ...unknown.map((path) => `.${path}: field not declared in schema`),
    ...duplicateItems(resource.type, value),
  ];
  if (fields.length === 0) return object;
  const { namespace, name } = object.metadata;
  const what = `${namespace ?? ''}/${name ?? ''}; ${object.apiVersion}, Kind=${object.kind}`;
  throw new StatusError(500, '', `failed to create typed patch object (${what}): ${fields.join(', ')}`);
}

function identified(resource: Resource, value: JsonObject): ApiObject {
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
    checkCustomKind(resource, body);
    return;
  }
  const { version } = splitApiVersion(apiVersion);
  const start = `${kind} in version ${JSON.stringify(version)} cannot be handled as a ${resource.kind}`;
  if (apiVersion !== '' && apiVersion !== wanted) {
    const where = 'in scheme "pkg/api/legacyscheme/scheme.go:30"';
    throw badRequest(
      `${start}: no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(apiVersion)} ${where}`,
    );
  }
  if (kind !== '' && kind !== resource.kind) {
    const types = `(${version}.${kind}) to (${resource.group || 'core'}.${resource.kind})`;
    throw badRequest(`${start}: converting ${types}: unknown conversion`);
  }
}

function checkCustomKind(resource: Resource, body: JsonObject): void {
  const apiVersion = stringAt(body, 'apiVersion');
  const kind = stringAt(body, 'kind');
  const wanted = apiVersionOf(resource);
  if (apiVersion === wanted && kind === resource.kind) return;
  if (apiVersion === '' || kind === '') {
    const missing = apiVersion === '' ? 'apiVersion' : 'kind';
    throw badRequest(`Object '${missing}' is missing in '${JSON.stringify(body)}'`);
  }
  if (apiVersion === wanted) {
    throw badRequest(`the kind in the data (${kind}) does not match the expected kind (${resource.kind})`);
  }
  const unknown = Object.keys(body).filter((key) => !['apiVersion', 'kind', 'metadata'].includes(key));
  const warnings = unknown.map((key) => `299 - ${JSON.stringify(`unknown field ${JSON.stringify(key)}`)}`);
  throw new StatusError(
    400,
    'BadRequest',
    `the API version in the data (${apiVersion}) does not match the expected API version (${wanted})`,
    undefined,
    warnings.length > 0 ? { Warning: warnings.join(', ') } : {},
  );
}

function decode(server: ServerContext, resource: Resource, body: JsonObject, asSent: boolean): Decoded {
  try {
    if (!resource.custom) return decodeBuiltin(resource.schema, body, server.lookup, resource.kind, asSent);
    return decodeCustom(server, resource.custom.schema, body, asSent);
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    if (resource.custom) throw badRequest(error.message);
    const start = `${resource.kind} in version ${JSON.stringify(resource.version)} cannot be handled as a ${resource.kind}`;
    throw badRequest(`${start}: ${error.message}`);
  }
}

function decodeCustom(server: ServerContext, schema: JsonObject, body: JsonObject, asSent: boolean): Decoded {
  const unknown: string[] = [];
  const value: JsonObject = clone(body);
  if (isObject(value.metadata)) {
    const decoded = decodeBuiltin(META_SCHEMA, value.metadata, server.lookup, 'ObjectMeta', asSent);
    unknown.push(...decoded.unknown.map((path) => `metadata.${path}`));
    value.metadata = decoded.value;
  }
  unknown.push(...prune(schema, value));
  dropNulls(schema, value);
  return { value, unknown: unknown.sort() };
}

function reportUnknown(resource: Resource, unknown: string[], request: WriteRequest): void {
  if (unknown.length === 0 || request.fieldValidation === 'Ignore') return;
  const texts = unknown.map((path) => `unknown field ${JSON.stringify(path)}`);
  if (request.fieldValidation === 'Warn') {
    request.warnings.push(...texts);
    return;
  }
  const text = `strict decoding error: ${texts.join(', ')}`;
  const start = `${resource.kind} in version ${JSON.stringify(resource.version)} cannot be handled as a ${resource.kind}`;
  throw badRequest(`${start}: ${text}`);
}
