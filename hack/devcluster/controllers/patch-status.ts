import { isDeepStrictEqual } from 'node:util';
import type { KubeClient } from '../../../operator/kube/client.ts';
import type { KubeObject, ResourceType } from '../../../operator/kube/object.ts';

/** An object with a status, as controllers of built-in kinds see it. */
export interface WithStatus extends KubeObject {
  status?: object | undefined;
}

/**
 * Writes what is new in a status, and in annotations, if anything is. Only the changed fields are sent: the cached object
 * may lack parts of the stored one. Throws KubeError, `Conflict` when the object has changed meanwhile.
 */
export async function patchStatus<T extends WithStatus>(
  client: KubeClient,
  type: ResourceType,
  object: T,
  wanted: { status: NonNullable<T['status']>; annotations?: Record<string, string> },
  signal: AbortSignal,
): Promise<boolean> {
  const status = difference(object.status ?? {}, wanted.status);
  const annotations = difference(object.metadata.annotations ?? {}, {
    ...object.metadata.annotations,
    ...wanted.annotations,
  });
  if (Object.keys(status).length + Object.keys(annotations).length === 0) return false;
  const { name, namespace, resourceVersion } = object.metadata;
  const merge = {
    metadata: { resourceVersion, ...(Object.keys(annotations).length > 0 ? { annotations } : {}) },
    status,
  };
  const key = namespace === undefined ? { name } : { namespace, name };
  await client.patch(type, key, { merge }, { subresource: 'status', signal });
  return true;
}

/** The merge patch from one object to another, one level deep. */
function difference(from: object, to: object): Record<string, unknown> {
  const before = Object.entries(from);
  const after = new Map<string, unknown>(Object.entries(to).filter(([, value]) => value !== undefined));
  const removed = before.filter(([name]) => !after.has(name)).map(([name]) => [name, null] as const);
  const old = new Map<string, unknown>(before);
  const changed = [...after].filter(([name, value]) => !isDeepStrictEqual(old.get(name), value));
  return Object.fromEntries([...removed, ...changed]);
}
