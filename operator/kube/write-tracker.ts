/**
 * Read-your-writes: tracks the writes for an owner until the caches show them, so that the next reconcile does not act on
 * older state (KEP-5647, cluster-api's consistency store).
 */
import { type Clock, systemClock } from './clock.ts';
import { type Key, toKey } from './key.ts';
import type { KubeObject } from './object.ts';
import { compareResourceVersions } from './resource-version.ts';
import type { Store } from './store.ts';

/** The part of a Store that shows its progress. */
export type ObservedStore = Pick<Store<KubeObject>, 'get' | 'resourceVersion'>;

interface Write {
  at: number;
  seen(): boolean;
}

/**
 * The cache is used as it is after this time, because some writes never appear, for example if a selector excludes the
 * object.
 */
const GIVE_UP_MS = 10_000;

export class WriteTracker {
  readonly #clock: Clock;
  readonly #writes = new Map<Key, Map<string, Write>>();

  constructor({ clock = systemClock }: { clock?: Clock } = {}) {
    this.#clock = clock;
  }

  /** Records a write for an owner. `object` is the server's response. */
  wrote(owner: Key, store: ObservedStore, object: KubeObject): void {
    const version = object.metadata.resourceVersion ?? '';
    this.#note(owner, object, () => compareResourceVersions(store.resourceVersion, version) >= 0);
  }

  /** Records that the deletion of an object was requested. */
  deleted(owner: Key, store: ObservedStore, object: KubeObject): void {
    const { uid } = object.metadata;
    this.#note(owner, object, () => {
      const now = store.get(toKey(object.metadata))?.metadata;
      return now === undefined || now.uid !== uid || now.deletionTimestamp !== undefined;
    });
  }

  /** Whether the caches show all writes for this owner. */
  isReady(owner: Key): boolean {
    const writes = this.#writes.get(owner);
    if (writes === undefined) {
      return true;
    }
    const now = this.#clock.monotonic();
    for (const [id, write] of writes) {
      if (write.seen() || now - write.at > GIVE_UP_MS) {
        writes.delete(id);
      }
    }
    if (writes.size > 0) {
      return false;
    }
    this.#writes.delete(owner);
    return true;
  }

  #note(owner: Key, object: KubeObject, seen: () => boolean): void {
    const writes = this.#writes.get(owner) ?? new Map<string, Write>();
    this.#writes.set(owner, writes);
    writes.set(`${object.apiVersion}/${object.kind}/${toKey(object.metadata)}`, {
      at: this.#clock.monotonic(),
      seen,
    });
  }
}
