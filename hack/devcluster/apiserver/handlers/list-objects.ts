import type { ServerResponse } from 'node:http';
import type { ApiObject } from '../api-object.ts';
import { sendJson } from '../http-message.ts';
import type { JsonObject } from '../json.ts';
import { type ObjectFilter, parseFilter } from '../object-filter.ts';
import { partialMeta } from '../object-meta.ts';
import type { Representation } from '../representation.ts';
import type { RequestInfo } from '../request-info.ts';
import { apiVersionOf, type Resource } from '../resource.ts';
import type { ServerContext } from '../server-context.ts';
import { tableOf } from '../table/table.ts';
import type { ContinueTokens } from './continue-tokens.ts';
import { checkListOptions, checkVersion } from './list-options.ts';

/** Objects of a resource in a namespace ('' for all) that match, as they are or were at a revision. Throws Expired. */
export function selectObjects(
  server: ServerContext,
  resource: Resource,
  namespace: string,
  filter: ObjectFilter,
  revision = server.store.revision,
): ApiObject[] {
  const within = resource.namespaced && namespace !== '' ? namespace : undefined;
  const stored = server.store.listAt(resource.collection, revision, within);
  const out: ApiObject[] = [];
  for (const object of stored) {
    const shown = resource.fromStored(object);
    if (filter.all || filter.matches(shown)) out.push(shown);
  }
  return out;
}

/** Answers GET on a collection. */
export function listObjects(
  server: ServerContext,
  tokens: ContinueTokens,
  resource: Resource,
  info: RequestInfo,
  shape: Representation,
  response: ServerResponse,
): void {
  checkListOptions(info.query, false);
  const filter = parseFilter(resource, info.query);
  checkVersion(server.store, info.query);
  const limit = Number(info.query.get('limit') ?? 0);
  const token = info.query.get('continue') ?? '';
  const exact = info.query.get('resourceVersionMatch') === 'Exact';
  const revision = exact ? Number(info.query.get('resourceVersion')) : server.store.revision;
  const rest =
    token === ''
      ? { revision, objects: selectObjects(server, resource, info.namespace, filter, revision) }
      : tokens.load(token);
  const cut = limit > 0 && rest.objects.length > limit;
  const page = cut ? rest.objects.slice(0, limit) : rest.objects;
  const metadata: { resourceVersion: string; continue?: string; remainingItemCount?: number } = {
    resourceVersion: String(rest.revision),
  };
  if (resource.custom && shape === 'object') metadata.continue = '';
  if (cut) {
    const objects = rest.objects.slice(limit);
    metadata.continue = tokens.save({ revision: rest.revision, objects });
    if (filter.all) metadata.remainingItemCount = objects.length;
  }
  if (shape === 'table') {
    sendJson(response, 200, { ...tableOf(server, resource, page, info.query), metadata: { ...metadata } });
    return;
  }
  sendJson(response, 200, listOf(resource, page, { ...metadata }, shape));
}

/** A List of objects. Items of built-in kinds have no apiVersion and kind. */
export function listOf(
  resource: Resource,
  objects: ApiObject[],
  metadata: JsonObject,
  shape: Representation = 'object',
): JsonObject {
  if (shape === 'partial') {
    const items = objects.map(partialMeta);
    return { kind: 'PartialObjectMetadataList', apiVersion: 'meta.k8s.io/v1', metadata, items };
  }
  const bare = objects.map(({ apiVersion: _, kind: __, ...rest }): JsonObject => rest);
  const items = resource.custom ? objects : bare;
  return { kind: resource.listKind, apiVersion: apiVersionOf(resource), metadata, items };
}
