/** Finalizers: a hold on deletion until clean-up is done. */
import type { KubeClient } from './client.ts';
import { isKubeError } from './errors.ts';
import type { KubeObject, ResourceType } from './object.ts';

export function hasFinalizer(object: KubeObject, finalizer: string): boolean {
  return object.metadata.finalizers?.includes(finalizer) ?? false;
}

/**
 * Adds a finalizer; no request when it is there. Do so before creating anything that must be cleaned up.
 * @throws KubeError `Conflict` when the object changed meanwhile: the list is written as a whole.
 */
export async function addFinalizer<T extends KubeObject>(
  client: KubeClient,
  type: ResourceType,
  object: T,
  finalizer: string,
  signal?: AbortSignal,
): Promise<T> {
  if (hasFinalizer(object, finalizer)) {
    return object;
  }
  return write(client, type, object, [...(object.metadata.finalizers ?? []), finalizer], signal);
}

/** Removes a finalizer; no request when it is not there, no error when the object is gone. */
export async function removeFinalizer<T extends KubeObject>(
  client: KubeClient,
  type: ResourceType,
  object: T,
  finalizer: string,
  signal?: AbortSignal,
): Promise<T> {
  if (!hasFinalizer(object, finalizer)) {
    return object;
  }
  const others = (object.metadata.finalizers ?? []).filter((name) => name !== finalizer);
  try {
    return await write(client, type, object, others, signal);
  } catch (error) {
    if (isKubeError(error, 'NotFound')) {
      return object;
    }
    throw error;
  }
}

/** A patch and not an update, so as not to claim the fields of spec; with the version, so as not to lose another's finalizer. */
function write<T extends KubeObject>(
  client: KubeClient,
  type: ResourceType,
  object: T,
  finalizers: string[],
  signal: AbortSignal | undefined,
): Promise<T> {
  const { uid, resourceVersion } = object.metadata;
  return client.patch<T>(
    type,
    object.metadata,
    { merge: { metadata: { finalizers, uid, resourceVersion } } },
    { signal },
  );
}
