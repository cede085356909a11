/** Time that passes by itself: the next event is always now. */
import type { Clock } from '../../../../operator/kube/clock.ts';

interface Entry {
  at: number;
  order: number;
  run: () => void | Promise<void>;
  cancelled: boolean;
}

/** Time and events of one simulation. Nothing waits. */
export class Timeline implements Clock {
  readonly #heap: Entry[] = [];
  readonly #startWall = Date.UTC(2026, 0, 5);
  #now = 0;
  #order = 0;

  now(): number {
    return this.#startWall + this.#now;
  }

  monotonic(): number {
    return this.#now;
  }

  setTimeout(callback: () => void, ms: number): () => void {
    return this.after(ms, callback);
  }

  after(ms: number, run: () => void | Promise<void>): () => void {
    const entry = { at: this.#now + Math.max(0, ms), order: this.#order++, run, cancelled: false };
    this.#push(entry);
    return () => {
      entry.cancelled = true;
    };
  }

  /** Runs what is due in the next `ms`; `check` after each event. */
  async run(ms: number, check: () => void): Promise<void> {
    const end = this.#now + ms;
    for (let next = this.#heap[0]; next && next.at <= end; next = this.#heap[0]) {
      this.#pop();
      if (next.cancelled) continue;
      this.#now = next.at;
      await next.run();
      check();
    }
    this.#now = end;
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let i = heap.push(entry) - 1;
    while (i > 0) {
      const up = (i - 1) >> 1;
      if (!before(entry, heap[up])) break;
      heap[i] = heap[up] as Entry;
      i = up;
    }
    heap[i] = entry;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (!last || heap.length === 0) return;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child + 1 < heap.length && before(heap[child + 1], heap[child])) child += 1;
      if (child >= heap.length || !before(heap[child], last)) break;
      heap[i] = heap[child] as Entry;
      i = child;
    }
    heap[i] = last;
  }
}

function before(a: Entry | undefined, b: Entry | undefined): boolean {
  if (!a || !b) return false;
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
