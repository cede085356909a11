/** Writes `/status`, and only when it says something new. */
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
  /** Must differ from the managers of `spec`: each apply gives up what it does not send. */
  fieldManager: string;
  tracker?: WriteTracker;
  registry?: Registry | undefined;
}

export interface StatusWriteOptions {
  /** Local copy of the type; with a tracker, the next reconcile waits until it shows the write. */
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
   * Makes `status` the whole status of an object, of which `live` is what we know. An object that is gone, or is another
   * of the same name, is left alone.
   * @throws KubeError when the server refuses.
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
    const { name, namespace, uid } = live.metadata;
    const body = {
      apiVersion: live.apiVersion,
      kind: live.kind,
      metadata: { name, ...(namespace ? { namespace } : {}), ...(uid ? { uid } : {}) },
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
      if (isKubeError(error, 'NotFound', 'Conflict') || isAnother(error)) {
        return { changed: false, object: live };
      }
      throw error;
    }
  }
}

/** An apply that names another UID than the object has is not a Conflict but not valid: the field cannot change. */
function isAnother(error: unknown): boolean {
  return (
    isKubeError(error, 'Invalid') &&
    (error.details?.causes ?? []).some(({ field }) => field === 'metadata.uid')
  );
}

/** Times do not count: a condition whose time alone differs says nothing new. Members that are undefined do not exist in JSON. */
function comparable(status: object | undefined): unknown {
  return JSON.parse(
    JSON.stringify(status ?? {}, (name, value: unknown) =>
      name === 'lastTransitionTime' ? undefined : value,
    ),
  );
}
