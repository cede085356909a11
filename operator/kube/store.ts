/** A cache of a set of objects. A Reflector keeps it up to date. */
import { type Key, keyOf, toKey } from './key.ts';
import { type Logger, silentLogger } from './logger.ts';
import type { KubeObject, ObjectKey } from './object.ts';
import { compareResourceVersions } from './resource-version.ts';

/** One object was added, changed or removed. A recreated object is a removal followed by an addition. */
export interface Change<T extends KubeObject> {
  key: Key;
  old?: T;
  new?: T;
  /** True if the change comes from a list or existed before the subscription. False for a live event. */
  initial: boolean;
}

export type ChangeHandler<T extends KubeObject> = (change: Change<T>) => void;

/** The part of a Store that reports changes. */
export interface Watchable<T extends KubeObject> {
  subscribe(handler: ChangeHandler<T>): () => void;
  /** Registers `values`, from which the store drops the entry of each removed object, by UID. */
  attach(values: Attached): void;
  hasUid(uid: string): boolean;
}

/** Values by UID of an object. The store drops them with the object. */
export type Attached = Pick<Map<string, unknown>, 'delete' | 'size'>;

/** The values under which an index lists an object. */
export type IndexFunction<T extends KubeObject> = (object: T) => Iterable<string>;

export interface StoreOptions<T extends KubeObject> {
  indexes?: Record<string, IndexFunction<T>> | undefined;
  /** Freezes objects deeply, so that code that modifies a cached object fails. Only for tests, because it is slow. */
  freeze?: boolean | undefined;
  log?: Logger | undefined;
}

const OWNER_INDEX = 'ownerUid';

/** Objects by namespace and name, with indexes. Readers must not modify them. */
export class Store<T extends KubeObject = KubeObject> {
  readonly #objects = new Map<Key, T>();
  readonly #indexes: ReadonlyMap<string, { of: IndexFunction<T>; keys: Map<string, Set<Key>> }>;
  readonly #handlers = new Set<ChangeHandler<T>>();
  readonly #uids = new Set<string>();
  readonly #attached: Attached[] = [];
  readonly #freeze: boolean;
  readonly #log: Logger;
  #hasSynced = false;
  #resourceVersion = '';

  constructor({ indexes = {}, freeze = false, log = silentLogger }: StoreOptions<T> = {}) {
    const all: Record<string, IndexFunction<T>> = { ...indexes, [OWNER_INDEX]: ownerUids };
    this.#indexes = new Map(Object.entries(all).map(([name, of]) => [name, { of, keys: new Map() }]));
    this.#freeze = freeze;
    this.#log = log;
  }

  get(key: Key | ObjectKey): T | undefined {
    return this.#objects.get(typeof key === 'string' ? key : toKey(key));
  }

  list(): T[] {
    return [...this.#objects.values()];
  }

  keys(): Key[] {
    return [...this.#objects.keys()];
  }

  get size(): number {
    return this.#objects.size;
  }

  /** Whether the first list is complete. Until then a missing object may exist. */
  get hasSynced(): boolean {
    return this.#hasSynced;
  }

  /** The store contains all changes up to this version. Empty before the first list. */
  get resourceVersion(): string {
    return this.#resourceVersion;
  }

  /**
   * The objects that an index lists under a value.
   * @throws RangeError if the store has no such index.
   */
  byIndex(name: string, value: string): T[] {
    const index = this.#indexes.get(name);
    if (index === undefined) {
      throw new RangeError(`the store has no index ${name}; it has ${[...this.#indexes.keys()].join(', ')}`);
    }
    const found: T[] = [];
    for (const key of index.keys.get(value) ?? []) {
      const object = this.#objects.get(key);
      if (object !== undefined) {
        found.push(object);
      }
    }
    return found;
  }

  /** The objects with an ownerReference to this UID. */
  byOwner(uid: string): T[] {
    return this.byIndex(OWNER_INDEX, uid);
  }

  /** Calls the handler for each existing object, then for each change, until the returned function is called. */
  subscribe(handler: ChangeHandler<T>): () => void {
    for (const [key, object] of this.#objects) {
      this.#call(handler, { key, new: object, initial: true });
    }
    this.#handlers.add(handler);
    return () => this.#handlers.delete(handler);
  }

  attach(values: Attached): void {
    this.#attached.push(values);
  }

  /** Total number of values attached to objects. */
  get attachedSize(): number {
    return this.#attached.reduce((sum, { size }) => sum + size, 0);
  }

  hasUid(uid: string): boolean {
    return this.#uids.has(uid);
  }

  /** Replaces the content with the result of a list. Objects that are not in the list are removed. */
  replace(objects: readonly T[], resourceVersion: string): void {
    const listed = new Set(objects.map(keyOf));
    this.#resourceVersion = resourceVersion;
    for (const key of this.keys()) {
      if (!listed.has(key)) {
        this.#drop(key, true);
      }
    }
    for (const object of objects) {
      this.#put(object, true);
    }
    this.#hasSynced = true;
  }

  /**
   * Applies a live event. Events arrive in version order, so one that is older than the cached object, or than its
   * deletion, is a repetition and is ignored.
   */
  upsert(object: T): void {
    const existing = this.#objects.get(keyOf(object));
    const version = object.metadata.resourceVersion ?? '';
    const seen = existing === undefined ? this.#resourceVersion : (existing.metadata.resourceVersion ?? '');
    if (compareResourceVersions(version, seen) < 0) {
      return;
    }
    this.bookmark(version);
    this.#put(object, false);
  }

  /** Applies a deletion. The deletion of an earlier object with the same name is ignored. */
  remove(object: T): void {
    this.bookmark(object.metadata.resourceVersion ?? '');
    const key = keyOf(object);
    const existing = this.#objects.get(key);
    if (existing !== undefined && existing.metadata.uid === object.metadata.uid) {
      this.#drop(key, false);
    }
  }

  /** Records that all changes up to this version were received. */
  bookmark(resourceVersion: string): void {
    if (compareResourceVersions(resourceVersion, this.#resourceVersion) > 0) {
      this.#resourceVersion = resourceVersion;
    }
  }

  #put(object: T, initial: boolean): void {
    const key = keyOf(object);
    const old = this.#objects.get(key);
    if (old !== undefined && old.metadata.uid !== object.metadata.uid) {
      this.#drop(key, initial);
      this.#put(object, initial);
      return;
    }
    if (old !== undefined && isSameVersion(old, object)) {
      return;
    }
    if (this.#freeze) {
      deepFreeze(object);
    }
    this.#unindex(key, old);
    this.#objects.set(key, object);
    this.#uids.add(object.metadata.uid ?? '');
    this.#index(key, object);
    this.#notify({
      key,
      ...(old === undefined ? {} : { old }),
      new: object,
      initial: initial && old === undefined,
    });
  }

  #drop(key: Key, initial: boolean): void {
    const old = this.#objects.get(key);
    if (old === undefined) {
      return;
    }
    this.#unindex(key, old);
    this.#objects.delete(key);
    this.#uids.delete(old.metadata.uid ?? '');
    for (const values of this.#attached) values.delete(old.metadata.uid ?? '');
    this.#notify({ key, old, initial });
  }

  #index(key: Key, object: T): void {
    for (const { of, keys } of this.#indexes.values()) {
      for (const value of of(object)) {
        const bucket = keys.get(value);
        if (bucket === undefined) {
          keys.set(value, new Set([key]));
        } else {
          bucket.add(key);
        }
      }
    }
  }

  #unindex(key: Key, object: T | undefined): void {
    if (object === undefined) {
      return;
    }
    for (const { of, keys } of this.#indexes.values()) {
      for (const value of of(object)) {
        const bucket = keys.get(value);
        bucket?.delete(key);
        if (bucket?.size === 0) {
          keys.delete(value);
        }
      }
    }
  }

  #notify(change: Change<T>): void {
    for (const handler of this.#handlers) {
      this.#call(handler, change);
    }
  }

  /** A handler that throws must neither block other handlers nor end the watch. */
  #call(handler: ChangeHandler<T>, change: Change<T>): void {
    try {
      handler(change);
    } catch (error) {
      this.#log.error({ err: error, key: change.key }, 'change handler failed');
    }
  }
}

function ownerUids(object: KubeObject): string[] {
  return object.metadata.ownerReferences?.map((owner) => owner.uid) ?? [];
}

function isSameVersion(a: KubeObject, b: KubeObject): boolean {
  return (
    a.metadata.resourceVersion !== undefined && a.metadata.resourceVersion === b.metadata.resourceVersion
  );
}

function deepFreeze(value: unknown): void {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const child of Object.values(value)) {
      deepFreeze(child);
    }
  }
}
