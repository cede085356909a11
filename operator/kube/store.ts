/** A local copy of a set of objects, kept by a Reflector and read by everybody else. */
import { type Key, keyOf, toKey } from './key.ts';
import { type Logger, silentLogger } from './logger.ts';
import type { KubeObject, ObjectKey } from './object.ts';
import { compareResourceVersions } from './resource-version.ts';

/** One object came, changed or went. A recreated object is two changes: the old one goes, then the new one comes. */
export interface Change<T extends KubeObject> {
  key: Key;
  old?: T;
  new?: T;
  /** True for what a list brought or what was there before the subscription, rather than a live event. */
  initial: boolean;
}

export type ChangeHandler<T extends KubeObject> = (change: Change<T>) => void;

/** The part of a Store that tells of changes. */
export interface Watchable<T extends KubeObject> {
  subscribe(handler: ChangeHandler<T>): () => void;
  /** From now on, `values` loses the entry of each object that goes, by UID. */
  attach(values: Attached): void;
  hasUid(uid: string): boolean;
}

/** Values by UID of an object that the store drops with the object. */
export type Attached = Pick<Map<string, unknown>, 'delete' | 'size'>;

/** What an index files an object under. */
export type IndexFunction<T extends KubeObject> = (object: T) => Iterable<string>;

export interface StoreOptions<T extends KubeObject> {
  indexes?: Record<string, IndexFunction<T>> | undefined;
  /** Freeze objects deeply, so that code that changes a cached object fails. For tests: it costs time. */
  freeze?: boolean | undefined;
  log?: Logger | undefined;
}

const OWNER_INDEX = 'ownerUid';

/** Objects by namespace and name, with indexes. Readers must not change what they get. */
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

  /** Whether the first list is complete. Until then absence means nothing. */
  get hasSynced(): boolean {
    return this.#hasSynced;
  }

  /** Everything that happened up to this version is in the store; empty before the first list. */
  get resourceVersion(): string {
    return this.#resourceVersion;
  }

  /**
   * The objects that an index files under a value.
   * @throws RangeError when the store has no such index.
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

  /** Calls the handler for everything there is, then for each change until the returned function is called. */
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

  /** How many values are attached to objects, in all. */
  get attachedSize(): number {
    return this.#attached.reduce((sum, { size }) => sum + size, 0);
  }

  hasUid(uid: string): boolean {
    return this.#uids.has(uid);
  }

  /** Takes over the result of a list: what it lacks is removed. */
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
   * Takes over a live event. Repetitions change nothing: events come in the order of their versions, so one that is
   * older than what is there, or than the deletion of what was there, has been seen.
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

  /** Takes over a deletion. That of an earlier object of the same name changes nothing. */
  remove(object: T): void {
    this.bookmark(object.metadata.resourceVersion ?? '');
    const key = keyOf(object);
    const existing = this.#objects.get(key);
    if (existing !== undefined && existing.metadata.uid === object.metadata.uid) {
      this.#drop(key, false);
    }
  }

  /** Notes that everything up to this version has been seen. */
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

  /** A handler that throws must not keep the others from the change, nor end the watch. */
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
