import type { ApiObject } from './api-object.ts';
import type { JsonObject } from './json.ts';
import { partialMeta } from './object-meta.ts';

const objects = new WeakMap<JsonObject, string>();
const items = new WeakMap<JsonObject, string>();
const partials = new WeakMap<JsonObject, string>();

function cached(cache: WeakMap<JsonObject, string>, object: JsonObject, make: () => string): string {
  const known = cache.get(object);
  if (known !== undefined) return known;
  const text = make();
  cache.set(object, text);
  return text;
}

/** An object as JSON text; remembered, as many watchers get the same object. */
export function encodeObject(object: ApiObject): string {
  return cached(objects, object, () => JSON.stringify(object));
}

/** An item of a list of a built-in kind: without apiVersion and kind. */
export function encodeItem(object: ApiObject): string {
  return cached(items, object, () => {
    const { apiVersion: _, kind: __, ...rest } = object;
    return JSON.stringify(rest);
  });
}

/** An object's metadata only. */
export function encodePartial(object: ApiObject): string {
  return cached(partials, object, () => JSON.stringify(partialMeta(object)));
}
