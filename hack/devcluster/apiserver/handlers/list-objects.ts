import type { ServerResponse } from 'node:http';
import type { ApiObject } from '../api-object.ts';
import { sendJson } from '../http-message.ts';
import type { ObjectEncoder } from '../object-encoder.ts';
import { type ObjectFilter, parseFilter } from '../object-filter.ts';
import type { Representation } from '../representation.ts';
import type { RequestInfo } from '../request-info.ts';
import { apiVersionOf, type Resource } from '../resource.ts';
import type { ServerContext } from '../server-context.ts';
import { badRequest, StatusError } from '../status-error.ts';
import { tableOf } from '../table/table.ts';
import type { ContinueTokens } from './continue-tokens.ts';

/** Objects of a resource in a namespace ('' for all) that match. */
export function selectObjects(
  server: ServerContext,
  resource: Resource,
  namespace: string,
  filter: ObjectFilter,
): ApiObject[] {
  const stored = server.store.list(
    resource.collection,
    resource.namespaced && namespace !== '' ? namespace : undefined,
  );
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
  const filter = parseFilter(resource, info.query);
  checkVersion(server, info.query);
  const limit = Number(info.query.get('limit') ?? 0);
  const token = info.query.get('continue') ?? '';
  const rest =
    token === ''
      ? { revision: server.store.revision, objects: selectObjects(server, resource, info.namespace, filter) }
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

/** resourceVersion of a list: newer than ours is told as "too large", what is no number is refused. */
function checkVersion(server: ServerContext, query: URLSearchParams): void {
  const text = query.get('resourceVersion') ?? '';
  if (text === '') return;
  if (!/^\d+$/.test(text))
    throw badRequest(
      `resourceVersion: Invalid value: ${JSON.stringify(text)}: strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`,
    );
  if (Number(text) > server.store.revision) {
    throw new StatusError(
      504,
      'Timeout',
      `Too large resource version: ${text}, current: ${server.store.revision}`,
      {
        causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
        retryAfterSeconds: 1,
      },
    );
  }
}
