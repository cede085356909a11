/** Object identities as strings, because Maps and queues need keys that compare by value. */
import type { KubeObject, ObjectKey } from './object.ts';

/** `namespace/name`, or `name` for a cluster-scoped object. Neither part can contain a slash. */
export type Key = string;

/** The key of an identity. */
export function toKey(key: ObjectKey): Key {
  return key.namespace ? `${key.namespace}/${key.name}` : key.name;
}

/** The key of an object. */
export function keyOf(object: KubeObject): Key {
  return toKey(object.metadata);
}
