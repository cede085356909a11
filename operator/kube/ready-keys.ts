/**
 * Keys that wait for a worker: highest priority first, but each eighth key has the lowest. Of one priority, namespaces take
 * turns. So a namespace with thousands of keys delays others by one key at a time, and one that changes objects all the time
 * does not keep those of the first list from their turn.
 */
import type { Key } from './key.ts';
import { Turns } from './turns.ts';

/** One in this many keys is of the lowest priority. */
const LOWEST_EVERY = 8;

interface Bucket {
  priority: number;
  /** By namespace. */
  keys: Turns<Key>;
}

export class ReadyKeys {
  /** There are only a few priorities, so a sorted list is sufficient. */
  readonly #buckets: Bucket[] = [];
  #taken = 0;

  push(key: Key, priority: number): void {
    const index = this.#buckets.findIndex((bucket) => bucket.priority <= priority);
    const bucket = this.#buckets[index];
    if (bucket?.priority === priority) {
      bucket.keys.push(namespaceOf(key), key);
    } else {
      const keys = new Turns<Key>();
      keys.push(namespaceOf(key), key);
      this.#buckets.splice(index < 0 ? this.#buckets.length : index, 0, { priority, keys });
    }
  }

  remove(key: Key, priority: number): void {
    this.#buckets.find((bucket) => bucket.priority === priority)?.keys.remove(namespaceOf(key), key);
  }

  shift(): { key: Key; priority: number } | undefined {
    const isLowest = this.#taken % LOWEST_EVERY === LOWEST_EVERY - 1;
    for (const { priority, keys } of isLowest ? this.#buckets.toReversed() : this.#buckets) {
      const key = keys.shift();
      if (key === undefined) continue;
      this.#taken += 1;
      return { key, priority };
    }
    return undefined;
  }
}

/** Empty for objects of the cluster. */
function namespaceOf(key: Key): string {
  return key.slice(0, Math.max(0, key.indexOf('/')));
}
