/** What is cached of the metadata of objects that any team can create, in any number. */
import type { ObjectMeta } from '../../kube/object.ts';

/** Longest name of a Kubernetes object. The API server does not limit the names in references. */
export const MAX_NAME = 253;

/** Keeps what identifies an object, and its controller. Everything else may have as much as etcd stores, 1.5 MiB. */
export function identityOf(metadata: ObjectMeta): ObjectMeta {
  const { name, namespace, uid, resourceVersion, ownerReferences } = metadata;
  const controller = ownerReferences?.find((owner) => owner.controller);
  return {
    name,
    ...(namespace !== undefined && { namespace }),
    ...(uid !== undefined && { uid }),
    ...(resourceVersion !== undefined && { resourceVersion }),
    ...(controller &&
      controller.kind.length + controller.name.length <= MAX_NAME && { ownerReferences: [controller] }),
  };
}
