/** Limits the memory for ConfigMaps with API keys, which a team can create by the thousands, of 1 MiB each. */
import type { ObjectMeta } from '../kube/object.ts';
import { type ApiKeyConfigMap, MAX_BYTES_PER_NAMESPACE } from './api-keys.ts';

/** With the names of 1,000 entries, the most that a namespace can use, and as much again for its next edit. */
const MAX_BYTES_CACHED = 2 * MAX_BYTES_PER_NAMESPACE;

export class ApiKeyRoom {
  readonly #bytes = new Map<string, number>();
  readonly #used = new Map<string, number>();

  /**
   * The cached form of a ConfigMap: its data, as long as its namespace has no more than MAX_BYTES_CACHED. Further ones
   * are only marked as `oversized`. Call `forget` when it is removed.
   */
  trim({ apiVersion, kind, metadata, data = {} }: ApiKeyConfigMap): ApiKeyConfigMap {
    const { name, namespace = '', uid = '', resourceVersion } = metadata;
    const identity = {
      name,
      namespace,
      uid,
      ...(resourceVersion !== undefined && { resourceVersion }),
    };
    this.forget(metadata);
    const used = this.#used.get(namespace) ?? 0;
    const bytes = Object.entries(data).reduce(
      (sum, [entry, text]) => sum + entry.length + Buffer.byteLength(text),
      0,
    );
    if (used + bytes > MAX_BYTES_CACHED) return { apiVersion, kind, metadata: identity, oversized: true };
    this.#bytes.set(uid, bytes);
    this.#used.set(namespace, used + bytes);
    return { apiVersion, kind, metadata: identity, data };
  }

  /** Frees what a ConfigMap used. */
  forget({ namespace = '', uid = '' }: ObjectMeta): void {
    const bytes = this.#bytes.get(uid) ?? 0;
    this.#bytes.delete(uid);
    const left = (this.#used.get(namespace) ?? 0) - bytes;
    if (left > 0) this.#used.set(namespace, left);
    else this.#used.delete(namespace);
  }
}
