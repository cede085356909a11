import type { ApiObject } from './api-object.ts';
import type { JsonObject } from './json.ts';
import { partialMeta } from './object-meta.ts';

/** Writes objects as JSON text and remembers it, as many watchers and lists get the same object. */
export class ObjectEncoder {
  readonly #objects = new WeakMap<JsonObject, string>();
  readonly #items = new WeakMap<JsonObject, string>();
  readonly #partials = new WeakMap<JsonObject, string>();

  /** The whole object. */
  object(object: ApiObject): string {
    return cached(this.#objects, object, () => JSON.stringify(object));
  }

  /** An item of a list of a built-in kind: without apiVersion and kind. */
  item(object: ApiObject): string {
    return cached(this.#items, object, () => {
      const { apiVersion: _, kind: __, ...rest } = object;
      return JSON.stringify(rest);
    });
  }

  /** The object's metadata only. */
  partial(object: ApiObject): string {
    return cached(this.#partials, object, () => JSON.stringify(partialMeta(object)));
  }
}

function cached(cache: WeakMap<JsonObject, string>, object: JsonObject, make: () => string): string {
  const known = cache.get(object);
  if (known !== undefined) return known;
  const text = make();
  cache.set(object, text);
  return text;
}
