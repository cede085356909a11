/** URLs of the Kubernetes API. */
import type { ObjectKey, ResourceType } from './object.ts';

/** Query parameters. Undefined ones are omitted. */
export type Query = Record<string, string | number | boolean | undefined>;

/** The path of a collection, or of the collection in all namespaces if no namespace is given. */
export function collectionPath(type: ResourceType, namespace?: string): string {
  const root = type.group ? `/apis/${type.group}/${type.version}` : `/api/${type.version}`;
  const scope = type.namespaced && namespace ? `/namespaces/${encodeURIComponent(namespace)}` : '';
  return `${root}${scope}/${type.plural}`;
}

/**
 * The path of an object or one of its subresources.
 * @throws TypeError if the namespace of a namespaced type is missing, because the URL would then be another one.
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
