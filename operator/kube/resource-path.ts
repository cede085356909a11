/** URLs of the Kubernetes API. */
import type { ObjectKey, ResourceType } from './object.ts';

/** Query parameters; those that are undefined are left out. */
export type Query = Record<string, string | number | boolean | undefined>;

/** The path of a collection; without a namespace that of all namespaces. */
export function collectionPath(type: ResourceType, namespace?: string): string {
  const root = type.group ? `/apis/${type.group}/${type.version}` : `/api/${type.version}`;
  const scope = type.namespaced && namespace ? `/namespaces/${encodeURIComponent(namespace)}` : '';
  return `${root}${scope}/${type.plural}`;
}

/**
 * The path of one object, or of a subresource of it.
 * @throws TypeError when a namespaced type has no namespace: the request would go to another URL than meant.
 */
export function objectPath(type: ResourceType, key: ObjectKey, subresource?: string): string {
  if (type.namespaced && !key.namespace) {
    throw new TypeError(`${type.kind} ${key.name} needs a namespace`);
  }
  if (!key.name) {
    throw new TypeError(`${type.kind} needs a name`);
  }
  const path = `${collectionPath(type, key.namespace)}/${encodeURIComponent(key.name)}`;
  return subresource ? `${path}/${subresource}` : path;
}

/** `?a=1&b=2`, or nothing. */
export function queryString(query: Query | undefined): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== undefined) {
      params.set(name, String(value));
    }
  }
  return params.size > 0 ? `?${params}` : '';
}
