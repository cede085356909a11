import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ApiObject } from '../api-object.ts';
import { mediaType, type ParsedBody, parseObject, readBody, sendJson } from '../http-message.ts';
import { type JsonObject, stringsAt } from '../json.ts';
import { parseFilter } from '../object-filter.ts';
import { partialMeta } from '../object-meta.ts';
import { decodeProtobuf } from '../protobuf.ts';
import { type Answered, type Representation, representation } from '../representation.ts';
import type { RequestInfo } from '../request-info.ts';
import type { Resource } from '../resource.ts';
import type { ServerContext, UserInfo } from '../server-context.ts';
import {
  badRequest,
  methodNotAllowed,
  noSuchResource,
  notFound,
  unsupportedMediaType,
} from '../status-error.ts';
import { tableOf } from '../table/table.ts';
import type { WatchSessions } from '../watch-sessions.ts';
import { words } from '../words.ts';
import { checkTarget, readStored, type Target, type Write } from '../writes/common.ts';
import { createObject } from '../writes/create-object.ts';
import { decodeObject } from '../writes/decode-object.ts';
import { deleteObject } from '../writes/delete-object.ts';
import { assertDeleteOptions, type DeleteOptions, deleteOptions } from '../writes/delete-options.ts';
import { updateObject } from '../writes/update-object.ts';
import type { ContinueTokens } from './continue-tokens.ts';
import { listObjects, listOf, selectObjects } from './list-objects.ts';
import { checkVersion } from './list-options.ts';
import { assertPatchType, patchObject } from './patch-object.ts';
import { watchObjects } from './watch-objects.ts';
import { withWarnings, writeRequestOf } from './write-request.ts';

const PROTOBUF = 'application/vnd.kubernetes.protobuf';
const WRITE_TYPES = ['application/json', 'application/yaml', PROTOBUF];
/** Kinds that PUT may create (AllowCreateOnUpdate of their strategies). */
const CREATE_ON_UPDATE = words(`coordination.k8s.io/leases endpoints events rbac.authorization.k8s.io/roles
  rbac.authorization.k8s.io/rolebindings rbac.authorization.k8s.io/clusterroles
  rbac.authorization.k8s.io/clusterrolebindings`);

/** What the handlers of one server share. */
export interface HandlerState {
  server: ServerContext;
  tokens: ContinueTokens;
  sessions: WatchSessions;
}

/** One request for a resource, after authorization. */
export interface ResourceRequest {
  info: RequestInfo;
  resource: Resource;
  user: UserInfo;
  message: IncomingMessage;
  response: ServerResponse;
}

/** Answers requests for a resource itself and its status; other subresources have their own handlers. */
export async function handleResource(state: HandlerState, call: ResourceRequest): Promise<void> {
  const { info, resource, response, message } = call;
  const shape = representation(message.headers.accept, answeredBy(call));
  switch (info.verb) {
    case 'list':
      listObjects(state.server, state.tokens, resource, info, shape, response);
      return;
    case 'watch':
      watchObjects(state.server, state.sessions, resource, info, shape, response);
      return;
    case 'get':
      checkVersion(state.server.store, info.query);
      sendObject(state.server, call, readStored(state.server, targetOf(call)), 200, shape);
      return;
    case 'create':
      return create(state, call, shape);
    case 'update':
      return update(state, call, shape);
    case 'patch':
      return patch(state, call, shape);
    case 'delete':
      return remove(state, call);
    case 'deletecollection':
      return removeAll(state, call);
    default:
      throw methodNotAllowed();
  }
}

/** Collections whose status has no table. */
const NO_STATUS_TABLE = new Set(['apiextensions.k8s.io/customresourcedefinitions']);

function answeredBy({ info, resource }: ResourceRequest): Answered {
  const watch = info.verb === 'watch';
  return {
    what: watch ? 'events' : info.verb === 'list' || info.verb === 'deletecollection' ? 'list' : 'object',
    tables: info.subresource === '' || !NO_STATUS_TABLE.has(resource.collection),
  };
}

/** Where a request's write goes. */
export function targetOf({ info, resource }: Pick<ResourceRequest, 'info' | 'resource'>): Target {
  return {
    resource,
    namespace: resource.namespaced ? info.namespace : '',
    name: info.name,
    subresource: info.subresource,
  };
}

/** A request as a write, with its options. Throws Invalid when they are wrong. */
export function writeOf({ server }: HandlerState, call: ResourceRequest): Write {
  return { ...targetOf(call), server, request: writeRequestOf(call) };
}

/** Answers with an object in the shape that the client asked for. */
export function sendObject(
  server: ServerContext,
  call: ResourceRequest,
  object: ApiObject,
  status: number,
  shape: Representation,
  warnings: string[] = [],
): void {
  if (shape === 'table')
    sendJson(call.response, status, tableOf(server, call.resource, [object], call.info.query), warnings);
  else sendJson(call.response, status, shape === 'partial' ? partialMeta(object) : object, warnings);
}

/** The body of a create or update, from JSON or YAML, of Secrets from protobuf too. Throws BadRequest, UnsupportedMediaType. */
export async function readParsedBody(
  call: Pick<ResourceRequest, 'message'>,
  kind: string,
): Promise<ParsedBody<JsonObject>> {
  const type = mediaType(call.message);
  if (type === PROTOBUF) return { value: decodeProtobuf(await readBody(call.message, 'latin1')), faults: [] };
  if (type !== '' && type !== 'application/json' && type !== 'application/yaml')
    throw unsupportedMediaType(WRITE_TYPES);
  return parseObject(await readBody(call.message), type, kind);
}

/** Like readParsedBody, where keys that come twice do not matter. */
export async function readObjectBody(
  call: Pick<ResourceRequest, 'message'>,
  kind: string,
): Promise<JsonObject> {
  return (await readParsedBody(call, kind)).value;
}

async function create(state: HandlerState, call: ResourceRequest, shape: Representation): Promise<void> {
  const { info, resource } = call;
  if (resource.namespaced && info.namespace === '') throw noSuchResource();
  const { value, faults } = await readParsedBody(call, resource.kind);
  const write = writeOf(state, call);
  const { request } = write;
  const object = withWarnings(request, () => {
    const decoded = decodeObject(state.server, resource, value, request, faults);
    checkNamespace(call, decoded);
    return createObject(write, decoded);
  });
  sendObject(state.server, call, object, 201, shape, request.warnings);
}

function checkNamespace({ info, resource }: ResourceRequest, object: ApiObject): void {
  const { namespace } = object.metadata;
  if (resource.namespaced && namespace !== undefined && namespace !== info.namespace) {
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
  }
}

async function update(state: HandlerState, call: ResourceRequest, shape: Representation): Promise<void> {
  const { resource } = call;
  const { value, faults } = await readParsedBody(call, resource.kind);
  const write = writeOf(state, call);
  const { request } = write;
  const known = state.server.store.get(resource.collection, write.namespace, write.name);
  const makes = !known && write.subresource === '' && CREATE_ON_UPDATE.has(resource.collection);
  const object = withWarnings(request, () => {
    const decoded = decodeObject(state.server, resource, value, request, faults);
    checkTarget(write, decoded);
    return makes ? createObject(write, withoutVersion(decoded, write)) : updateObject(write, decoded);
  });
  sendObject(state.server, call, object, makes ? 201 : 200, shape, request.warnings);
}

function withoutVersion(object: ApiObject, target: Target): ApiObject {
  if (object.metadata.resourceVersion) throw notFound(target.resource, target.name);
  return object;
}

async function patch(state: HandlerState, call: ResourceRequest, shape: Representation): Promise<void> {
  const type = mediaType(call.message);
  assertPatchType(type, call.resource.custom !== undefined);
  const text = await readBody(call.message);
  const write = writeOf(state, call);
  const { request } = write;
  const force = call.info.query.get('force') === 'true';
  const { object, created } = withWarnings(request, () => patchObject(write, { text, type, force }));
  sendObject(state.server, call, object, created ? 201 : 200, shape, request.warnings);
}

async function optionsBody(call: ResourceRequest): Promise<JsonObject | undefined> {
  const type = mediaType(call.message);
  const text = await readBody(call.message, type === PROTOBUF ? 'latin1' : 'utf8');
  if (text === '') return undefined;
  const body = type === PROTOBUF ? decodeProtobuf(text) : parseObject(text, type, 'DeleteOptions').value;
  assertDeleteOptions(body);
  return body;
}

/** A deletion with its options: those of the body, else those of the query. */
async function deletionOf(
  state: HandlerState,
  call: ResourceRequest,
): Promise<{ write: Write; options: DeleteOptions }> {
  const body = await optionsBody(call);
  const write = writeOf(state, call);
  if (!body) return { write, options: deleteOptions(undefined, call.info.query) };
  write.request.dryRun = stringsAt(body, 'dryRun').includes('All');
  return { write, options: deleteOptions(body, new URLSearchParams()) };
}

async function remove(state: HandlerState, call: ResourceRequest): Promise<void> {
  const { write, options } = await deletionOf(state, call);
  sendJson(call.response, 200, deleteObject(write, options), write.request.warnings);
}

async function removeAll(state: HandlerState, call: ResourceRequest): Promise<void> {
  const { info, resource, response } = call;
  if (resource.namespaced && info.namespace === '') throw methodNotAllowed();
  const { write, options } = await deletionOf(state, call);
  const objects = selectObjects(state.server, resource, info.namespace, parseFilter(resource, info.query));
  const revision = String(state.server.store.revision);
  for (const object of objects) deleteObject({ ...write, name: object.metadata.name }, options);
  const metadata = { ...(resource.custom ? { continue: '' } : {}), resourceVersion: revision };
  sendJson(response, 200, listOf(resource, objects, metadata));
}
