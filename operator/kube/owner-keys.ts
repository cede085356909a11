/** From a child to the key of the object that it was made for. */
import type { Key } from './key.ts';
import type { KubeObject } from './object.ts';
import { controllerOf } from './owner-reference.ts';

/** A mapping from a child to the key of its controller owner, if that is of this kind. */
export function ownerKeys(kind: string): (object: KubeObject) => Key[] {
  return (object) => {
    const owner = controllerOf(object);
    if (owner?.kind !== kind) {
      return [];
    }
    const { namespace } = object.metadata;
    return [namespace ? `${namespace}/${owner.name}` : owner.name];
  };
}
