import { keyOf } from '../../../operator/kube/key.ts';
import type { KubeObject } from '../../../operator/kube/object.ts';
import type { Store } from '../../../operator/kube/store.ts';

/** Objects that were created for an owner but are not in the watch cache yet, so that they are not created twice. */
export class PendingCreates<T extends KubeObject> {
  readonly #store: Store<T>;
  readonly #byOwner = new Map<string, Map<string, T>>();

  constructor(store: Store<T>) {
    this.#store = store;
    store.subscribe(({ old, new: now }) => {
      for (const object of [old, now]) this.#forget(object?.metadata.uid ?? '');
    });
  }

  /** @param object as the server returned it */
  add(owner: string, object: T): void {
    // The watch may have been faster than the answer.
    if (this.#store.get(keyOf(object))?.metadata.uid === object.metadata.uid) return;
    const objects = this.#byOwner.get(owner) ?? new Map<string, T>();
    this.#byOwner.set(owner, objects.set(object.metadata.uid ?? '', object));
  }

  of(owner: string): T[] {
    return [...(this.#byOwner.get(owner)?.values() ?? [])];
  }

  #forget(uid: string): void {
    for (const [owner, objects] of this.#byOwner) {
      if (objects.delete(uid) && objects.size === 0) this.#byOwner.delete(owner);
    }
  }
}
