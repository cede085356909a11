import type { ApiObject } from '../api-object.ts';
import type { Resource } from '../resource.ts';

type Converters = Pick<Resource, 'fromStored' | 'toStored'>;

const SAME: Converters = { fromStored: (object) => object, toStored: (object) => object };

/** How a version reads and writes what its collection holds. */
export function converters(_group: string, _version: string, _collection: string): Converters {
  return SAME;
}

/** Remembers the conversion of an object, so that it is done once. */
export function remembered(convert: (object: ApiObject) => ApiObject): (object: ApiObject) => ApiObject {
  const known = new WeakMap<ApiObject, ApiObject>();
  return (object) => {
    let made = known.get(object);
    if (!made) {
      made = convert(object);
      known.set(object, made);
    }
    return made;
  };
}
