/** Maps a child to the key of its owner. */
import type { Key } from './key.ts';
import type { KubeObject } from './object.ts';
import { controllerOf } from './owner-reference.ts';

/** A function that maps a child to the key of its controller owner, if that has this kind. */
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
