/** State per object of a store, which is dropped with the object. */
import type { KubeObject } from './object.ts';
import type { Watchable } from './store.ts';

/**
 * Values by UID. The store drops a value with its object, before it notifies subscribers of the deletion. Setting a value
 * for an object that is not in the store has no effect, so work in flight leaves nothing behind after a deletion.
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

  /** Sets a value; undefined deletes it. */
  set(uid: string | undefined, value: V | undefined): void {
    if (value === undefined || !this.#objects.hasUid(uid ?? '')) this.#values.delete(uid ?? '');
    else this.#values.set(uid ?? '', value);
  }

  delete(uid: string | undefined): void {
    this.#values.delete(uid ?? '');
  }

  /** The value of an object. Calls `make` if there is none. */
  getOr(uid: string | undefined, make: () => V): V {
    const present = this.#values.get(uid ?? '');
    if (present !== undefined) return present;
    const made = make();
    this.set(uid, made);
    return made;
  }
}
