/** Writes the status subresource, and only if it has changed. */
import { isDeepStrictEqual } from 'node:util';
import type { Counter, Registry } from 'prom-client';
import type { KubeClient } from './client.ts';
import { isKubeError } from './errors.ts';
import { keyOf } from './key.ts';
import { counter } from './metrics.ts';
import type { KubeObject, ResourceType } from './object.ts';
import type { ObservedStore, WriteTracker } from './write-tracker.ts';

export interface StatusWriterOptions {
  client: KubeClient;
  /** Must differ from the manager of `spec`, because an apply drops the fields that it does not contain. */
  fieldManager: string;
  tracker?: WriteTracker;
  registry?: Registry | undefined;
}

export interface StatusWriteOptions {
  /** Cache of the type. With a tracker, the next reconcile waits until it shows the write. */
  store?: ObservedStore;
  signal?: AbortSignal | undefined;
}

export class StatusWriter {
  readonly #options: StatusWriterOptions;
  readonly #writes: Counter<'result'> | undefined;

  constructor(options: StatusWriterOptions) {
    this.#options = options;
    this.#writes =
      options.registry &&
      counter(options.registry, {
        name: 'status_writes_total',
        help: 'Status updates by result: written, or suppressed because nothing was new.',
        labelNames: ['result'],
      });
  }

  /**
   * Sets the whole status of an object; `live` is the cached object. Does nothing if the object has changed since, because
   * that change triggers another reconcile, or if it was deleted or replaced by another one with the same name. The API
   * server does not compare the UID in a write to the status of a custom resource, so the write includes the resource
   * version.
   * @throws KubeError if the server rejects the write.
   */
  async write<T extends KubeObject & { status?: object }>(
    type: ResourceType,
    live: T,
    status: NonNullable<T['status']>,
    { store, signal }: StatusWriteOptions = {},
  ): Promise<{ changed: boolean; object: T }> {
    if (isDeepStrictEqual(comparable(live.status), comparable(status))) {
      this.#writes?.inc({ result: 'suppressed' });
      return { changed: false, object: live };
    }
    const { client, fieldManager, tracker } = this.#options;
    const { name, namespace, resourceVersion } = live.metadata;
    const body = {
      apiVersion: live.apiVersion,
      kind: live.kind,
      metadata: {
        name,
        ...(namespace ? { namespace } : {}),
        ...(resourceVersion ? { resourceVersion } : {}),
      },
      status,
    };
    try {
      const object = await client.apply<T>(type, body, { subresource: 'status', fieldManager, signal });
      this.#writes?.inc({ result: 'written' });
      if (store !== undefined) {
        tracker?.wrote(keyOf(live), store, object);
      }
      return { changed: true, object };
    } catch (error) {
      if (isKubeError(error, 'NotFound', 'Conflict')) {
        return { changed: false, object: live };
      }
      throw error;
    }
  }
}

/**
 * Without timestamps, because a condition that differs only in its time is not a change. Undefined members do not exist in
 * JSON.
 */
function comparable(status: object | undefined): unknown {
  return JSON.parse(
    JSON.stringify(status ?? {}, (name, value: unknown) =>
      name === 'lastTransitionTime' ? undefined : value,
    ),
  );
}
