/**
 * Keys that wait for a worker: highest priority first. Of one priority, namespaces take turns. So a namespace with thousands of
 * keys delays others by one key at a time.
 */
import type { Key } from './key.ts';
import { Turns } from './turns.ts';

interface Bucket {
  priority: number;
  /** By namespace. */
  keys: Turns<Key>;
}

export class ReadyKeys {
  /** There are only a few priorities, so a sorted list is sufficient. */
  readonly #buckets: Bucket[] = [];

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
    for (const { priority, keys } of this.#buckets) {
      const key = keys.shift();
      if (key !== undefined) return { key, priority };
    }
    return undefined;
  }
}

/** Empty for objects of the cluster. */
function namespaceOf(key: Key): string {
  return key.slice(0, Math.max(0, key.indexOf('/')));
}
