import type { ApiObject } from '../api-object.ts';
import { splitApiVersion } from '../api-object.ts';
import { typeFaults } from '../apply/type-faults.ts';
import { fieldInvalid } from '../faults.ts';
import { clone, isObject, type Json, type JsonObject, stringAt } from '../json.ts';
import { apiVersionOf, type Resource } from '../resource.ts';
import { type Decoded, DecodeError, decodeBuiltin } from '../schema/decode.ts';
import { applyDefaults, dropNulls, prune } from '../schema/structural.ts';
import type { ServerContext, WriteRequest } from '../server-context.ts';
import { badRequest, invalid, StatusError } from '../status-error.ts';
import { dropDoubleOwners } from './metadata-warnings.ts';

const META_SCHEMA = { $ref: '#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta' };

/**
 * Makes an object of a resource from a body: types checked, unknown fields dropped (or reported, by
 * fieldValidation), schema defaults of custom resources filled. `faults` are those of the text. Throws BadRequest.
 */
export function decodeObject(
  server: ServerContext,
  resource: Resource,
  body: JsonObject,
  request: Pick<WriteRequest, 'fieldValidation' | 'warnings'>,
  faults: readonly string[] = [],
): ApiObject {
  checkKind(resource, body);
  return readable(resource, () => read(server, resource, body, request, faults));
}

/** Throws BadRequest instead of a DecodeError. */
function readable<T>({ kind, version }: Resource, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    const what = `${kind} in version ${JSON.stringify(version)} cannot be handled as a ${kind}`;
    throw badRequest(`${what}: ${error.message}`);
  }
}

/** Like decodeObject for what a patch made: an unreadable object is Invalid, and so is one whose kind has changed. */
export function decodePatched(
  server: ServerContext,
  resource: Resource,
  body: JsonObject,
  request: Pick<WriteRequest, 'fieldValidation' | 'warnings'>,
  faults: readonly string[],
): ApiObject {
  try {
    const kind = stringAt(body, 'kind');
    if (
      stringAt(body, 'apiVersion') !== apiVersionOf(resource) ||
      (!resource.custom && kind !== resource.kind)
    )
      throw new DecodeError(`no kind ${JSON.stringify(kind)} is registered for this version`);
    if (kind !== resource.kind)
      throw invalid({ ...resource, kind }, stringAt(body, 'metadata', 'name'), [
        fieldInvalid('kind', kind, `must be ${resource.kind}`),
      ]);
    return read(server, resource, body, request, faults);
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    throw invalidPatch(body, error.message);
  }
}

/** 422 for a patch whose result can't be read; it names neither the object nor its kind. */
export function invalidPatch(shown: Json, why: string): StatusError {
  return invalid({ group: '', plural: '', kind: '' }, '', [
    fieldInvalid('patch', JSON.stringify(shown), why),
  ]);
}

function read(
  server: ServerContext,
  resource: Resource,
  body: JsonObject,
  request: Pick<WriteRequest, 'fieldValidation' | 'warnings'>,
  faults: readonly string[],
): ApiObject {
  const { value, unknown } = decode(server, resource, body);
  const strict = [...faults, ...unknown.map((path) => `unknown field ${JSON.stringify(path)}`)];
  if (strict.length > 0 && request.fieldValidation === 'Strict')
    throw new DecodeError(`strict decoding error: ${strict.join(', ')}`);
  if (request.fieldValidation === 'Warn') request.warnings.push(...strict);
  if (resource.custom) applyDefaults(resource.custom.schema, value);
  const object = identified(resource, value);
  dropDoubleOwners(object, request.warnings);
  return object;
}

/**
 * Makes an object of what an apply merged. Nulls of custom resources stay where no default takes their place, for
 * validation to refuse. Throws BadRequest.
 */
export function decodeMerged(server: ServerContext, resource: Resource, merged: JsonObject): ApiObject {
  const { custom } = resource;
  if (!custom) return decodeObject(server, resource, merged, { fieldValidation: 'Ignore', warnings: [] });
  const value = clone(merged);
  const { value: metadata } = readable(resource, () =>
    decodeBuiltin(META_SCHEMA, merged.metadata ?? {}, server.lookup, 'ObjectMeta'),
  );
  applyDefaults(custom.schema, value);
  return identified(resource, { ...value, metadata });
}

/**
 * Reads an applied configuration: as it was sent, without defaults. Throws BadRequest, and 500 for what does not fit
 * the schema, as kube-apiserver does.
 */
export function decodeConfiguration(resource: Resource, body: JsonObject): ApiObject {
  const apiVersion = stringAt(body, 'apiVersion');
  const kind = stringAt(body, 'kind');
  if (apiVersion !== apiVersionOf(resource) || kind !== resource.kind) {
    const { group, version } = splitApiVersion(apiVersion);
    throw badRequest(`invalid object type: ${group}/${version}, Kind=${kind}`);
  }
  const faults = typeFaults(resource.type, body);
  const object = identified(resource, clone(body));
  if (faults.length === 0) return object;
  const { namespace, name } = object.metadata;
  const what = `${stringOr(namespace)}/${stringOr(name)}; ${object.apiVersion}, Kind=${object.kind}`;
  const text = faults.length === 1 ? faults[0] : `errors:\n  ${faults.join('\n  ')}`;
  throw new StatusError(500, '', `failed to create typed patch object (${what}): ${text}`);
}

function stringOr(value: Json | undefined): string {
  return typeof value === 'string' ? value : '';
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

function decode(server: ServerContext, resource: Resource, body: JsonObject): Decoded {
  if (resource.custom) return decodeCustom(server, resource.custom.schema, body);
  return decodeBuiltin(resource.schema, body, server.lookup, resource.kind);
}

function decodeCustom(server: ServerContext, schema: JsonObject, body: JsonObject): Decoded {
  const unknown: string[] = [];
  const value: JsonObject = clone(body);
  if (value.metadata === null) delete value.metadata;
  if (value.metadata !== undefined) {
    const decoded = decodeBuiltin(META_SCHEMA, value.metadata, server.lookup, 'ObjectMeta');
    unknown.push(...decoded.unknown.map((path) => `metadata.${path}`));
    value.metadata = decoded.value;
  }
  unknown.push(...prune(schema, value));
  dropNulls(schema, value);
  return { value, unknown: unknown.sort() };
}
