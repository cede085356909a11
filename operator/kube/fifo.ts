/** Distinct values in order of arrival. Adding, removing and taking one takes constant time. */
export class Fifo<T> {
  readonly #values = new Set<T>();
  /** Resumes after the values that were taken. A new iterator would skip their holes again, which V8 keeps for long. */
  #next = this.#values.values();

  get size(): number {
    return this.#values.size;
  }

  /** Adds a value at the end, unless it is there. */
  push(value: T): void {
    this.#values.add(value);
  }

  remove(value: T): void {
    this.#values.delete(value);
  }

  /** Takes out the first value; undefined if there is none. */
  shift(): T | undefined {
    if (this.size === 0) return undefined;
    let first = this.#next.next();
    if (first.done) {
      // One that has come to the end stays there.
      this.#next = this.#values.values();
      first = this.#next.next();
    }
    this.#values.delete(first.value as T);
    return first.value;
  }
}
