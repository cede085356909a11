/** Values computed of objects, kept for as long as what they were computed of is the same. */
import type { KubeObject } from './object.ts';
import { PerObject } from './per-object.ts';
import type { Watchable } from './store.ts';

interface Entry<V> {
  generation: number | undefined;
  inputs: readonly unknown[];
  value: V;
}

/**
 * One value for each object of a store. It is computed when it is read, again when the object's generation or one of the
 * other inputs is another, or after a change of a store that was named to `dropOn`, and is forgotten with the object. Of an
 * object that the store does not have, it is computed each time.
 */
export class Derived<V> {
  readonly #entries: PerObject<Entry<V>>;

  constructor(objects: Watchable<KubeObject>) {
    this.#entries = new PerObject(objects);
  }

  /** From now on, a change of the store drops the values of the objects whose UIDs are returned for it. */
  dropOn<T extends KubeObject>(
    store: Watchable<T>,
    uidsOf: (object: T) => Iterable<string | undefined>,
  ): this {
    store.subscribe(({ old, new: now }) => {
      for (const object of [old, now]) if (object) for (const uid of uidsOf(object)) this.drop(uid);
    });
    return this;
  }

  /** What `compute` returns, or returned before for the same object, generation and inputs (by identity). Keeps no error. */
  of<T extends KubeObject>(object: T, inputs: readonly unknown[], compute: (object: T) => V): V {
    const { uid, generation } = object.metadata;
    const known = this.#entries.get(uid);
    if (known && known.generation === generation && isSame(known.inputs, inputs)) return known.value;
    const value = compute(object);
    this.#entries.set(uid, { generation, inputs, value });
    return value;
  }

  /** Forgets the value of one object. */
  drop(uid: string | undefined): void {
    this.#entries.delete(uid);
  }
}

function isSame(a: readonly unknown[], b: readonly unknown[]): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  // Asked for thousands of objects at once.
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
