/**
 * Keys that wait for a worker: highest priority first. Of one priority, namespaces take turns, and the keys of a namespace
 * come in order of arrival. A namespace with thousands of keys therefore delays others by one key at a time.
 */
import { Fifo } from './fifo.ts';
import type { Key } from './key.ts';

interface Bucket {
  priority: number;
  /** Namespaces that have keys. */
  turns: Fifo<string>;
  keys: Map<string, Fifo<Key>>;
}

export class ReadyKeys {
  /** There are only a few priorities, so a sorted list is sufficient. */
  readonly #buckets: Bucket[] = [];

  push(key: Key, priority: number): void {
    const { turns, keys } = this.#bucket(priority);
    const namespace = namespaceOf(key);
    const own = keys.get(namespace) ?? new Fifo<Key>();
    keys.set(namespace, own);
    own.push(key);
    turns.push(namespace);
  }

  remove(key: Key, priority: number): void {
    const bucket = this.#buckets.find((each) => each.priority === priority);
    const namespace = namespaceOf(key);
    const own = bucket?.keys.get(namespace);
    own?.remove(key);
    if (!own?.isEmpty) return;
    bucket?.keys.delete(namespace);
    bucket?.turns.remove(namespace);
  }

  shift(): { key: Key; priority: number } | undefined {
    for (const { priority, turns, keys } of this.#buckets) {
      const namespace = turns.shift();
      if (namespace === undefined) continue;
      const own = keys.get(namespace);
      const key = own?.shift() as Key;
      if (own?.isEmpty) keys.delete(namespace);
      else turns.push(namespace);
      return { key, priority };
    }
    return undefined;
  }

  #bucket(priority: number): Bucket {
    const index = this.#buckets.findIndex((bucket) => bucket.priority <= priority);
    const bucket = this.#buckets[index];
    if (bucket?.priority === priority) return bucket;
    const added = { priority, turns: new Fifo<string>(), keys: new Map<string, Fifo<Key>>() };
    this.#buckets.splice(index < 0 ? this.#buckets.length : index, 0, added);
    return added;
  }
}

/** Empty for objects of the cluster. */
function namespaceOf(key: Key): string {
  return key.slice(0, Math.max(0, key.indexOf('/')));
}
