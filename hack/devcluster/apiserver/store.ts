import { type ApiObject, objectKey } from './api-object.ts';
import { expired } from './status-error.ts';

/** A change of one object. `old` is absent for what was created, `object` is the last state of what was deleted. */
export interface StoreEvent {
  type: 'ADDED' | 'MODIFIED' | 'DELETED';
  collection: string;
  revision: number;
  object: ApiObject;
  old?: ApiObject;
}

/** Called in order for each change, in the same tick as the write. */
export type StoreListener = (event: StoreEvent) => void;

interface Collection {
  objects: Map<string, ApiObject>;
  /** Keys in etcd's order (namespace, name), sorted again after an addition or removal. */
  sorted: string[] | undefined;
  history: StoreEvent[];
  /** Revision when the collection was first used. Earlier revisions are not available, as in a watch cache. */
  since: number;
  listeners: Set<StoreListener>;
}

/**
 * Objects in memory with one revision counter, as etcd has. Objects are shared, never changed in place.
 * Each collection has a watch cache of its last changes, so that watches can start at an older resourceVersion.
 */
export class Store {
  readonly #collections = new Map<string, Collection>();
  readonly #everyChange = new Set<StoreListener>();
  readonly #historyLimit: number;
  #revision = 1;
  #compacted = 0;

  /** @param historyLimit size of each collection's watch cache, in changes */
  constructor(historyLimit = 5000) {
    this.#historyLimit = historyLimit;
  }

  /** The latest revision. */
  get revision(): number {
    return this.#revision;
  }

  get(collection: string, namespace: string, name: string): ApiObject | undefined {
    return this.#collection(collection).objects.get(objectKey(namespace, name));
  }

  /** Objects of one namespace, or of all, ordered by namespace and name. */
  list(collection: string, namespace?: string): ApiObject[] {
    const found = this.#collection(collection);
    found.sorted ??= [...found.objects.keys()].sort();
    return pick(found.objects, found.sorted, namespace);
  }

  /** The list at a revision. Throws Expired when the revision is no longer in the watch cache. */
  listAt(collection: string, revision: number, namespace?: string): ApiObject[] {
    if (revision >= this.#revision) return this.list(collection, namespace);
    this.assertRemembered(collection, revision);
    const found = this.#collection(collection);
    const objects = new Map(found.objects);
    for (const { revision: at, object, old } of found.history.toReversed()) {
      if (at <= revision) break;
      const key = objectKey(object.metadata.namespace, object.metadata.name);
      if (old) objects.set(key, old);
      else objects.delete(key);
    }
    return pick(objects, [...objects.keys()].sort(), namespace);
  }

  /** Number of objects in a collection. */
  count(collection: string): number {
    return this.#collection(collection).objects.size;
  }

  /** Creates or replaces; sets the new resourceVersion and returns what is stored. */
  put(collection: string, object: ApiObject): ApiObject {
    const found = this.#collection(collection);
    const key = objectKey(object.metadata.namespace, object.metadata.name);
    const old = found.objects.get(key);
    const revision = ++this.#revision;
    const stored = { ...object, metadata: { ...object.metadata, resourceVersion: String(revision) } };
    found.objects.set(key, stored);
    if (!old) found.sorted = undefined;
    this.#emit(found, {
      type: old ? 'MODIFIED' : 'ADDED',
      collection,
      revision,
      object: stored,
      ...(old ? { old } : {}),
    });
    return stored;
  }

  /** Removes an object; the event carries its last state with the revision of the removal. */
  remove(collection: string, object: ApiObject): ApiObject {
    const found = this.#collection(collection);
    const key = objectKey(object.metadata.namespace, object.metadata.name);
    const old = found.objects.get(key);
    found.objects.delete(key);
    found.sorted = undefined;
    const revision = ++this.#revision;
    const last = { ...object, metadata: { ...object.metadata, resourceVersion: String(revision) } };
    this.#emit(found, { type: 'DELETED', collection, revision, object: last, ...(old ? { old } : {}) });
    return last;
  }

  /**
   * Changes after a revision, then every later one through the listener. Throws Expired when the
   * revision is older than the watch cache. Returns a function that ends the watch.
   */
  watch(collection: string, after: number, listener: StoreListener): () => void {
    const found = this.#collection(collection);
    this.assertRemembered(collection, after);
    for (const event of found.history) if (event.revision > after) listener(event);
    found.listeners.add(listener);
    return () => found.listeners.delete(listener);
  }

  /** Throws Expired when the watch cache no longer has all changes after this revision. */
  assertRemembered(collection: string, after: number): void {
    const found = this.#collection(collection);
    const full = found.history.length >= this.#historyLimit;
    const oldest = full ? (found.history[0]?.revision ?? 0) - 1 : found.since;
    const floor = Math.max(oldest, this.#compacted);
    if (after < floor) throw expired(`too old resource version: ${after} (${floor})`);
  }

  /** Calls the listener for every change of every collection. */
  onChange(listener: StoreListener): () => void {
    this.#everyChange.add(listener);
    return () => this.#everyChange.delete(listener);
  }

  /** Empties the watch cache, as etcd's compaction does: later watches from older revisions answer 410. */
  compact(): void {
    this.#compacted = this.#revision;
    for (const found of this.#collections.values()) found.history = [];
  }

  #collection(name: string): Collection {
    let found = this.#collections.get(name);
    if (!found) {
      found = { objects: new Map(), sorted: [], history: [], since: this.#revision, listeners: new Set() };
      this.#collections.set(name, found);
    }
    return found;
  }

  #emit(found: Collection, event: StoreEvent): void {
    found.history.push(event);
    if (found.history.length > this.#historyLimit * 2)
      found.history = found.history.slice(-this.#historyLimit);
    for (const listener of found.listeners) listener(event);
    for (const listener of this.#everyChange) listener(event);
  }
}

/** The objects of some keys, of one namespace or of all. */
function pick(objects: Map<string, ApiObject>, keys: string[], namespace: string | undefined): ApiObject[] {
  const wanted = namespace === undefined ? keys : keys.filter((key) => key.startsWith(`${namespace}/`));
  return wanted.flatMap((key) => objects.get(key) ?? []);
}
