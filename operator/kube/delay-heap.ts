/** Keys that become due at a time: a binary heap with at most one live entry per key. */
import type { Key } from './key.ts';

export interface DelayedKey {
  key: Key;
  /** Milliseconds of the caller's clock. */
  dueAt: number;
  priority: number;
}

/** Orders by time. Adding a key again keeps the earlier time and the higher priority. */
export class DelayHeap {
  readonly #heap: DelayedKey[] = [];
  readonly #live = new Map<Key, DelayedKey>();

  get size(): number {
    return this.#live.size;
  }

  add(entry: DelayedKey): void {
    const known = this.#live.get(entry.key);
    if (known === undefined) {
      this.#insert(entry);
    } else if (entry.dueAt < known.dueAt) {
      this.#insert({ ...entry, priority: Math.max(entry.priority, known.priority) });
    } else {
      known.priority = Math.max(entry.priority, known.priority);
    }
  }

  /** The time of the first entry. */
  nextDueAt(): number | undefined {
    this.#dropReplaced();
    return this.#heap[0]?.dueAt;
  }

  /** Removes and returns the first entry if it is due. */
  popDue(now: number): DelayedKey | undefined {
    this.#dropReplaced();
    const first = this.#heap[0];
    if (first === undefined || first.dueAt > now) {
      return undefined;
    }
    this.#removeFirst();
    this.#live.delete(first.key);
    return first;
  }

  clear(): void {
    this.#heap.length = 0;
    this.#live.clear();
  }

  #insert(entry: DelayedKey): void {
    this.#live.set(entry.key, entry);
    let index = this.#heap.push(entry) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (this.#dueAt(parent) <= entry.dueAt) {
        break;
      }
      this.#swap(index, parent);
      index = parent;
    }
  }

  /** A replaced entry stays in the heap until it comes to the top. */
  #dropReplaced(): void {
    for (let first = this.#heap[0]; first && this.#live.get(first.key) !== first; first = this.#heap[0]) {
      this.#removeFirst();
    }
  }

  #removeFirst(): void {
    const last = this.#heap.pop();
    if (last === undefined || this.#heap.length === 0) {
      return;
    }
    this.#heap[0] = last;
    let index = 0;
    for (;;) {
      const left = 2 * index + 1;
      const smaller = this.#dueAt(left + 1) < this.#dueAt(left) ? left + 1 : left;
      if (this.#dueAt(smaller) >= last.dueAt) {
        return;
      }
      this.#swap(index, smaller);
      index = smaller;
    }
  }

  #dueAt(index: number): number {
    return this.#heap[index]?.dueAt ?? Number.POSITIVE_INFINITY;
  }

  #swap(a: number, b: number): void {
    const [first, second] = [this.#heap[a], this.#heap[b]];
    if (first !== undefined && second !== undefined) {
      this.#heap[a] = second;
      this.#heap[b] = first;
    }
  }
}
