/** What is cached of the metadata of objects that any team can create, in any number. */
import type { ObjectMeta } from '../../kube/object.ts';

/** Longest group and version of an API; names and UIDs are shorter. The API server does not limit them in references. */
const MAX_LENGTH = 317;

/** Keeps what identifies an object, and its controller. Everything else may have as much as etcd stores, 1.5 MiB. */
export function identityOf(metadata: ObjectMeta): ObjectMeta {
  const { name, namespace, uid, resourceVersion, ownerReferences } = metadata;
  const controller = ownerReferences?.find((owner) => owner.controller);
  return {
    name,
    ...(namespace !== undefined && { namespace }),
    ...(uid !== undefined && { uid }),
    ...(resourceVersion !== undefined && { resourceVersion }),
    ...(controller && isShort(controller) && { ownerReferences: [controller] }),
  };
}

/** Whether all texts of a reference are as short as those of an object that exists. */
export function isShort(reference: object): boolean {
  return Object.values(reference).every((value) => typeof value !== 'string' || value.length <= MAX_LENGTH);
}
