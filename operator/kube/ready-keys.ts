/** Keys that wait for a worker: highest priority first, then in order of arrival. */
import type { Key } from './key.ts';

interface Bucket {
  priority: number;
  keys: Set<Key>;
  /** Resumes after the keys that were taken. A new iterator would skip their holes again, which V8 keeps for long. */
  next: SetIterator<Key>;
}

export class ReadyKeys {
  /** There are only a few priorities, so a sorted list is sufficient. */
  readonly #buckets: Bucket[] = [];

  push(key: Key, priority: number): void {
    const index = this.#buckets.findIndex((bucket) => bucket.priority <= priority);
    const bucket = this.#buckets[index];
    if (bucket?.priority === priority) {
      bucket.keys.add(key);
    } else {
      const keys = new Set([key]);
      const added = { priority, keys, next: keys.values() };
      this.#buckets.splice(index < 0 ? this.#buckets.length : index, 0, added);
    }
  }

  remove(key: Key, priority: number): void {
    this.#buckets.find((bucket) => bucket.priority === priority)?.keys.delete(key);
  }

  shift(): { key: Key; priority: number } | undefined {
    for (const bucket of this.#buckets) {
      const { priority, keys } = bucket;
      if (keys.size === 0) continue;
      let first = bucket.next.next();
      if (first.done) {
        // One that has come to the end stays there.
        bucket.next = keys.values();
        first = bucket.next.next();
      }
      const key = first.value as Key;
      keys.delete(key);
      return { key, priority };
    }
    return undefined;
  }
}
