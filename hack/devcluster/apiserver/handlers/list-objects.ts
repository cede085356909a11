import type { ServerResponse } from 'node:http';
import type { ApiObject } from '../api-object.ts';
import { sendJson } from '../http-message.ts';
import type { ObjectEncoder } from '../object-encoder.ts';
import { type ObjectFilter, parseFilter } from '../object-filter.ts';
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
  sendJson(response, 200, listText(server.encoder, resource, page, metadata, shape));
}

function listText(
  encoder: ObjectEncoder,
  resource: Resource,
  page: ApiObject[],
  metadata: object,
  shape: Representation,
): string {
  if (shape === 'partial') {
    const head = JSON.stringify({
      kind: 'PartialObjectMetadataList',
      apiVersion: 'meta.k8s.io/v1',
      metadata,
    });
    return `${head.slice(0, -1)},"items":[${page.map((object) => encoder.partial(object)).join(',')}]}`;
  }
  const head = JSON.stringify({ kind: resource.listKind, apiVersion: apiVersionOf(resource), metadata });
  const items = page.map((object) => (resource.custom ? encoder.object(object) : encoder.item(object)));
  return `${head.slice(0, -1)},"items":[${items.join(',')}]}`;
}
