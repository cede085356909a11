import { isObject, stringsAt } from '../json.ts';
import type { RequestInfo } from '../request-info.ts';
import type { Resource } from '../resource.ts';
import {
  badRequest,
  methodNotAllowed,
  methodNotSupported,
  noSuchResource,
  notFound,
} from '../status-error.ts';

/** Verbs of a path with a name. */
const NAMED = new Set(['get', 'update', 'patch', 'delete']);

/**
 * Throws when a resource has no such subresource, or does not take this method here. Built-in resources answer as
 * go-restful's routes do, custom ones as the handler of apiextensions.
 */
export function assertServed(resource: Resource, info: RequestInfo): void {
  const verbs = info.subresource === '' ? resource.verbs : subresourceVerbs(resource, info.subresource);
  if (resource.custom) {
    if (!verbs) throw notFound(resource, info.name);
    if (!verbs.includes(info.verb)) throw methodNotSupported(resource, info.verb);
    if (NAMED.has(info.verb) && info.name === '') throw badRequest('name must be provided');
    return;
  }
  if (!verbs) throw noSuchResource();
  const misplaced = info.subresource === '' && NAMED.has(info.verb) !== (info.name !== '');
  if (misplaced || !verbs.includes(info.verb)) throw methodNotAllowed();
}

function subresourceVerbs(resource: Resource, subresource: string): string[] | undefined {
  const found = resource.subresources.find((each) => each.name === `${resource.plural}/${subresource}`);
  return isObject(found) ? stringsAt(found, 'verbs') : undefined;
}
