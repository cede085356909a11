import { type ApiObject, type OwnerReference, objectKey } from '../api-object.ts';
import { FieldSet } from '../apply/field-set.ts';
import { decodeManaged, withManaged } from '../apply/managed-fields.ts';
import type { Resource } from '../resource.ts';
import { type ServerContext, systemRequest } from '../server-context.ts';
import type { StoreEvent } from '../store.ts';
import { deleteObject } from '../writes/delete-object.ts';

const FOREGROUND = 'foregroundDeletion';
const ORPHAN = 'orphan';

interface Place {
  collection: string;
  namespace: string;
  name: string;
}

/**
 * Deletes dependents whose owners are gone, and handles the finalizers of foreground deletion and
 * orphaning, as the garbage collector of kube-controller-manager does.
 */
export class GarbageCollector {
  readonly #server: ServerContext;
  /** The location of each existing object, by uid. */
  readonly #living = new Map<string, Place>();
  /** Dependents of an owner, by the owner's uid; keys are `collection namespace/name`. */
  readonly #dependents = new Map<string, Map<string, Place>>();
  readonly #request = systemRequest(
    'system:serviceaccount:kube-system:generic-garbage-collector',
    'kube-controller-manager',
  );

  constructor(server: ServerContext) {
    this.#server = server;
  }

  start(): () => void {
    return this.#server.store.onChange((event) => this.#changed(event));
  }

  #changed(event: StoreEvent): void {
    const { metadata } = event.object;
    const uid = metadata.uid ?? '';
    const place: Place = {
      collection: event.collection,
      namespace: metadata.namespace ?? '',
      name: metadata.name,
    };
    this.#unlink(event.old, place);
    if (event.type === 'DELETED') {
      this.#living.delete(uid);
      this.#ownerGone(uid, event.object);
      return;
    }
    this.#living.set(uid, place);
    for (const owner of metadata.ownerReferences ?? []) this.#link(owner.uid, place);
    if (event.type === 'ADDED' && metadata.ownerReferences) setImmediate(() => this.#collect(place));
    const finalizers = metadata.finalizers ?? [];
    if (!metadata.deletionTimestamp) return;
    if (finalizers.includes(FOREGROUND)) setImmediate(() => this.#foreground(place));
    else if (finalizers.includes(ORPHAN)) setImmediate(() => this.#orphan(place));
  }

  #link(uid: string, place: Place): void {
    const known = this.#dependents.get(uid) ?? new Map<string, Place>();
    known.set(placeKey(place), place);
    this.#dependents.set(uid, known);
  }

  #unlink(old: ApiObject | undefined, place: Place): void {
    for (const owner of old?.metadata.ownerReferences ?? []) {
      const known = this.#dependents.get(owner.uid);
      known?.delete(placeKey(place));
      if (known?.size === 0) this.#dependents.delete(owner.uid);
    }
  }

  #ownerGone(uid: string, object: ApiObject): void {
    const waiting = this.#dependents.get(uid);
    if (waiting) {
      const places = [...waiting.values()];
      setImmediate(() => {
        for (const place of places) this.#collect(place);
      });
    }
    // The deleted dependent may have been the last one that a foreground deletion waits for.
    for (const owner of object.metadata.ownerReferences ?? []) {
      const place = this.#living.get(owner.uid);
      if (place) setImmediate(() => this.#foreground(place));
    }
  }

  #read(place: Place): ApiObject | undefined {
    return this.#server.store.get(place.collection, place.namespace, place.name);
  }

  #resource(collection: string): Resource | undefined {
    return this.#server.registry.collections().get(collection);
  }

  #isLiving(owner: OwnerReference, dependent: ApiObject): boolean {
    const place = this.#living.get(owner.uid);
    if (!place || place.name !== owner.name) return false;
    return place.namespace === '' || place.namespace === dependent.metadata.namespace;
  }

  /** Deletes an object when all its owners are gone; otherwise drops the references to those that are. */
  #collect(place: Place): void {
    const object = this.#read(place);
    const owners = object?.metadata.ownerReferences ?? [];
    if (!object || owners.length === 0 || object.metadata.deletionTimestamp) return;
    const living = owners.filter((owner) => this.#isLiving(owner, object));
    if (living.length === 0) this.#delete(place, 'Background');
    else if (living.length < owners.length) {
      this.#server.store.put(place.collection, {
        ...object,
        metadata: { ...object.metadata, ownerReferences: living },
      });
    }
  }

  #delete(place: Place, propagationPolicy: string): void {
    const resource = this.#resource(place.collection);
    if (!resource || !this.#read(place)) return;
    const policy = hasGcFinalizer(this.#read(place)) ? {} : { propagationPolicy };
    const where = { resource, namespace: place.namespace, name: place.name, subresource: '' };
    deleteObject({ ...where, server: this.#server, request: this.#request }, policy);
  }

  /** Foreground deletion: deletes the dependents of an object, and removes its finalizer when none blocks it any more. */
  #foreground(place: Place): void {
    const owner = this.#read(place);
    if (!owner?.metadata.deletionTimestamp || !owner.metadata.finalizers?.includes(FOREGROUND)) return;
    const uid = owner.metadata.uid ?? '';
    let blocking = 0;
    for (const dependent of [...(this.#dependents.get(uid)?.values() ?? [])]) {
      const object = this.#read(dependent);
      if (!object) continue;
      if (!object.metadata.deletionTimestamp) this.#delete(dependent, 'Foreground');
      const reference = object.metadata.ownerReferences?.find((each) => each.uid === uid);
      if (reference?.blockOwnerDeletion === true && this.#read(dependent)) blocking++;
    }
    if (blocking === 0) this.#dropFinalizer(place, FOREGROUND);
  }

  #orphan(place: Place): void {
    const owner = this.#read(place);
    if (!owner?.metadata.deletionTimestamp || !owner.metadata.finalizers?.includes(ORPHAN)) return;
    const uid = owner.metadata.uid ?? '';
    for (const dependent of [...(this.#dependents.get(uid)?.values() ?? [])]) {
      const object = this.#read(dependent);
      if (object) this.#server.store.put(dependent.collection, withoutOwner(object, uid));
    }
    this.#dropFinalizer(place, ORPHAN);
  }

  #dropFinalizer(place: Place, finalizer: string): void {
    const object = this.#read(place);
    if (!object) return;
    const { finalizers = [], ...metadata } = object.metadata;
    const rest = finalizers.filter((each) => each !== finalizer);
    if (rest.length > 0) {
      this.#server.store.put(place.collection, {
        ...object,
        metadata: { ...metadata, finalizers: rest } as ApiObject['metadata'],
      });
      return;
    }
    const bare = { ...object, metadata: metadata as ApiObject['metadata'] };
    if ((metadata.deletionGracePeriodSeconds ?? 0) > 0) this.#server.store.put(place.collection, bare);
    else {
      this.#server.store.remove(place.collection, object);
      this.#resource(place.collection)?.behaviour.deleted?.(object);
    }
  }
}

function placeKey(place: Place): string {
  return `${place.collection} ${objectKey(place.namespace, place.name)}`;
}

function hasGcFinalizer(object: ApiObject | undefined): boolean {
  const finalizers = object?.metadata.finalizers ?? [];
  return finalizers.includes(FOREGROUND) || finalizers.includes(ORPHAN);
}

/** The object without one owner, and without the ownership of that reference in managedFields. */
function withoutOwner(object: ApiObject, uid: string): ApiObject {
  const { ownerReferences = [], ...metadata } = object.metadata;
  const rest = ownerReferences.filter((owner) => owner.uid !== uid);
  const gone = rest.length > 0 ? { [`k:${JSON.stringify({ uid })}`]: {} } : {};
  const path = FieldSet.fromJson({ 'f:metadata': { 'f:ownerReferences': gone } });
  const entries = decodeManaged(metadata.managedFields).map((entry) => ({
    ...entry,
    fields: entry.fields.recursiveDifference(path),
  }));
  const next = { ...metadata, ...(rest.length > 0 ? { ownerReferences: rest } : {}) };
  return withManaged({ ...object, metadata: next as ApiObject['metadata'] }, entries);
}
