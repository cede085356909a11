/** Keys that wait for a worker, highest priority first, in order of arrival within a priority. */
import type { Key } from './key.ts';

export class ReadyKeys {
  /** Few priorities exist at once, so that a sorted list of them is enough. */
  readonly #buckets: { priority: number; keys: Set<Key> }[] = [];

  push(key: Key, priority: number): void {
    const index = this.#buckets.findIndex((bucket) => bucket.priority <= priority);
    const bucket = this.#buckets[index];
    if (bucket?.priority === priority) {
      bucket.keys.add(key);
    } else {
      this.#buckets.splice(index < 0 ? this.#buckets.length : index, 0, { priority, keys: new Set([key]) });
    }
  }

  remove(key: Key, priority: number): void {
    this.#buckets.find((bucket) => bucket.priority === priority)?.keys.delete(key);
  }

  shift(): { key: Key; priority: number } | undefined {
    for (const { priority, keys } of this.#buckets) {
      for (const key of keys) {
        keys.delete(key);
        return { key, priority };
      }
    }
    return undefined;
  }
}
