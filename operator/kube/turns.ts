import { Fifo } from './fifo.ts';

/** Distinct values of groups, such as namespaces. The groups take turns, and the values of a group come in order of arrival. */
export class Turns<T> {
  readonly #groups = new Map<string, Fifo<T>>();
  /** Groups that have values. */
  readonly #order = new Fifo<string>();

  push(group: string, value: T): void {
    const values = this.#groups.get(group) ?? new Fifo<T>();
    this.#groups.set(group, values);
    values.push(value);
    this.#order.push(group);
  }

  remove(group: string, value: T): void {
    const values = this.#groups.get(group);
    values?.remove(value);
    if (values?.size !== 0) return;
    this.#groups.delete(group);
    this.#order.remove(group);
  }

  /** Takes out the next value; undefined if there is none. */
  shift(): T | undefined {
    const group = this.#order.shift();
    const values = group === undefined ? undefined : this.#groups.get(group);
    if (group === undefined || !values) return undefined;
    const value = values.shift();
    if (values.size === 0) this.#groups.delete(group);
    else this.#order.push(group);
    return value;
  }

  /** Number of values of a group. */
  sizeOf(group: string): number {
    return this.#groups.get(group)?.size ?? 0;
  }
}
