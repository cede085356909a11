/** Leases behind a network that a test can slow down or cut, on its own clock. */
import type { KubeClient } from '../../../../operator/kube/client.ts';
import { type Clock, sleep } from '../../../../operator/kube/clock.ts';
import { KubeError, type KubeErrorCode } from '../../../../operator/kube/errors.ts';
import type { KubeObject } from '../../../../operator/kube/object.ts';

export interface Link {
  /** One way, in milliseconds. */
  latencyMs: number;
  /** Of the way back, if that is another. */
  answerMs?: number;
  /** `requests`: nothing arrives. `answers`: the server acts, but nothing comes back. */
  cut: 'nothing' | 'requests' | 'answers';
}

export class LeaseServer {
  readonly #clock: Clock;
  #version = 0;
  lease: KubeObject | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A client with its own link to this server. */
  client(link: Link): Pick<KubeClient, 'get' | 'create' | 'replace'> {
    const call = async <T>(
      act: () => KubeObject,
      options: { signal?: AbortSignal | undefined; timeoutMs?: number | undefined } = {},
    ): Promise<T> => {
      const wait = (ms: number) => sleep(ms, { clock: this.#clock, signal: options.signal });
      if (link.cut === 'requests') {
        await wait(options.timeoutMs ?? 30_000);
        throw failure('Timeout');
      }
      await wait(link.latencyMs);
      const object = structuredClone(act());
      if (link.cut === 'answers') {
        await wait(options.timeoutMs ?? 30_000);
        throw failure('Timeout');
      }
      await wait(link.answerMs ?? link.latencyMs);
      return object as T;
    };
    return {
      get: (_type, _key, options) =>
        call(() => {
          if (this.lease === undefined) throw failure('NotFound');
          return this.lease;
        }, options),
      create: (_type, object, options) =>
        call(() => {
          if (this.lease !== undefined) throw failure('AlreadyExists');
          return this.#store(object);
        }, options),
      replace: (_type, object, options) =>
        call(() => {
          if (this.lease?.metadata.resourceVersion !== object.metadata.resourceVersion)
            throw failure('Conflict');
          return this.#store(object);
        }, options),
    };
  }

  #store(object: KubeObject): KubeObject {
    this.lease = structuredClone({
      ...object,
      metadata: { ...object.metadata, resourceVersion: String(++this.#version) },
    });
    return this.lease;
  }
}

function failure(code: KubeErrorCode): KubeError {
  return new KubeError({ code, request: 'lease', message: code });
}
