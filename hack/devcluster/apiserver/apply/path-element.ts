import { isObject, type Json } from '../json.ts';
import type { TypeNode } from '../schema/type-node.ts';

/**
 * The path element of a list item: by value, or by the key fields that it has or that have a default. Undefined where
 * there is none: items of atomic lists, and what `itemFault` names.
 */
export function itemElement(list: TypeNode, item: Json): string | undefined {
  if (list.listType === 'atomic' || itemFault(list, item) !== undefined) return undefined;
  return list.listType === 'set' ? `v:${JSON.stringify(item)}` : `k:${JSON.stringify(keysOf(list, item))}`;
}

function keysOf(list: TypeNode, item: Json): Record<string, Json> {
  const keys: Record<string, Json> = {};
  for (const key of list.keys) {
    const value = isObject(item) && key in item ? item[key] : list.keyDefaults[key];
    if (value !== undefined) keys[key] = value;
  }
  return keys;
}

/** Why an item of a set or of a list with keys cannot be identified, in the words of structured-merge-diff. */
export function itemFault(list: TypeNode, item: Json): string | undefined {
  if (list.listType === 'set') {
    if (item === null) return "associative list without keys has an element that's an explicit null";
    if (isObject(item)) return "associative list without keys has an element that's a map type";
    return Array.isArray(item) ? 'not supported: associative list with lists as elements' : undefined;
  }
  if (list.listType !== 'map') return undefined;
  if (item === null) return 'associative list with keys may not have a null element';
  if (!isObject(item)) return 'associative list with keys may not have non-map elements';
  if (Object.keys(keysOf(list, item)).length > 0) return undefined;
  const keys = `[${list.keys.map((key) => JSON.stringify(key)).join(' ')}]`;
  return `associative list with keys has an element that omits all key fields ${keys} (and doesn't have default values for any key fields)`;
}

/** The path element of a field. */
export function fieldElement(name: string): string {
  return `f:${name}`;
}

/** Items by path element; undefined when an item has no key or a key comes twice. */
export function indexItems(list: TypeNode, items: readonly Json[]): Map<string, Json> | undefined {
  const out = new Map<string, Json>();
  for (const item of items) {
    const element = itemElement(list, item);
    if (element === undefined || out.has(element)) return undefined;
    out.set(element, item);
  }
  return out;
}
