/** Finalizers, which delay deletion until clean-up is done. */
import type { KubeClient } from './client.ts';
import { isKubeError } from './errors.ts';
import type { KubeObject, ResourceType } from './object.ts';

export function hasFinalizer(object: KubeObject, finalizer: string): boolean {
  return object.metadata.finalizers?.includes(finalizer) ?? false;
}

/**
 * Adds a finalizer; no request if it exists. Call this before creating anything that must be cleaned up.
 * @throws KubeError `Conflict` if the object has changed, because the list is written as a whole.
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

/** Removes a finalizer. Makes no request if it is absent, and succeeds if the object was deleted. */
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

/** A patch, because an update would claim the fields of spec. It includes the version, so that no other finalizer is lost. */
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
