/** Caches values that are computed from objects, for as long as the inputs are the same. */
import type { KubeObject } from './object.ts';
import { PerObject } from './per-object.ts';
import type { Watchable } from './store.ts';

interface Entry<V> {
  generation: number | undefined;
  inputs: readonly unknown[];
  value: V;
}

/**
 * One value per object of a store. It is computed on first read, and again when the object's generation or another input
 * changes, or after a change of a store that was passed to `dropOn`. It is dropped with the object. For an object that is
 * not in the store, it is computed on every read.
 */
export class Derived<V> {
  readonly #entries: PerObject<Entry<V>>;

  constructor(objects: Watchable<KubeObject>) {
    this.#entries = new PerObject(objects);
  }

  /** Drops the values of the objects whose UIDs `uidsOf` returns for a change of this store. */
  dropOn<T extends KubeObject>(
    store: Watchable<T>,
    uidsOf: (object: T) => Iterable<string | undefined>,
  ): this {
    store.subscribe(({ old, new: now }) => {
      for (const object of [old, now]) if (object) for (const uid of uidsOf(object)) this.drop(uid);
    });
    return this;
  }

  /**
   * The result of `compute`, cached for the same object, generation and inputs (compared by identity). Errors are not
   * cached.
   */
  of<T extends KubeObject>(object: T, inputs: readonly unknown[], compute: (object: T) => V): V {
    const { uid, generation } = object.metadata;
    const known = this.#entries.get(uid);
    if (known && known.generation === generation && isSame(known.inputs, inputs)) return known.value;
    const value = compute(object);
    this.#entries.set(uid, { generation, inputs, value });
    return value;
  }

  /** Drops the value of one object. */
  drop(uid: string | undefined): void {
    this.#entries.delete(uid);
  }
}

function isSame(a: readonly unknown[], b: readonly unknown[]): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  // A plain loop, because it runs for thousands of objects at once.
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
