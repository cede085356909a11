/** Owner references, which garbage collection and Argo CD use. */
import type { KubeObject, OwnerReference } from './object.ts';

/** The reference that makes `owner` the controller of a child in its namespace. */
export function controllerReference(owner: KubeObject): OwnerReference {
  const { name, uid } = owner.metadata;
  if (uid === undefined) {
    throw new TypeError(`${owner.kind} ${name} has no uid: pass the object as the server returned it`);
  }
  return {
    apiVersion: owner.apiVersion,
    kind: owner.kind,
    name,
    uid,
    controller: true,
    blockOwnerDeletion: true,
  };
}

/** The reference to the object's controller. */
export function controllerOf(object: KubeObject): OwnerReference | undefined {
  return object.metadata.ownerReferences?.find((reference) => reference.controller);
}

/** Whether the owners include an object with this UID. */
export function isOwnedBy(object: KubeObject, uid: string): boolean {
  return object.metadata.ownerReferences?.some((reference) => reference.uid === uid) ?? false;
}

/** A copy with this owner reference added. */
export function withOwner<T extends KubeObject>(object: T, reference: OwnerReference): T {
  const others = (object.metadata.ownerReferences ?? []).filter((owner) => owner.uid !== reference.uid);
  return { ...object, metadata: { ...object.metadata, ownerReferences: [...others, reference] } };
}
