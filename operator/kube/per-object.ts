/** State that belongs to one object of a store, and goes with it. */
import type { KubeObject } from './object.ts';
import type { Watchable } from './store.ts';

/**
 * Values by UID. The store drops a value with its object, before it tells anybody of the deletion. What is set for an object
 * that the store does not have is not taken: work that was under way when the object went leaves nothing behind.
 */
export class PerObject<V> {
  readonly #objects: Watchable<KubeObject>;
  readonly #values = new Map<string, V>();

  constructor(objects: Watchable<KubeObject>) {
    this.#objects = objects;
    objects.attach(this.#values);
  }

  get(uid: string | undefined): V | undefined {
    return this.#values.get(uid ?? '');
  }

  has(uid: string | undefined): boolean {
    return this.#values.has(uid ?? '');
  }

  /** Undefined deletes. */
  set(uid: string | undefined, value: V | undefined): void {
    if (value === undefined || !this.#objects.hasUid(uid ?? '')) this.#values.delete(uid ?? '');
    else this.#values.set(uid ?? '', value);
  }

  delete(uid: string | undefined): void {
    this.#values.delete(uid ?? '');
  }

  /** The value of an object; what `make` returns if there is none yet. */
  getOr(uid: string | undefined, make: () => V): V {
    const present = this.#values.get(uid ?? '');
    if (present !== undefined) return present;
    const made = make();
    this.set(uid, made);
    return made;
  }
}
