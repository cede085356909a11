import { isObject, type Json } from '../json.ts';
import type { TypeNode } from '../schema/type-node.ts';

/**
 * The path element of a list item: by key fields, by value, or (atomic and malformed lists) undefined.
 */
export function itemElement(list: TypeNode, item: Json): string | undefined {
  if (list.listType === 'set') return `v:${JSON.stringify(item)}`;
  if (list.listType !== 'map' || !isObject(item)) return undefined;
  const keys: Record<string, Json> = {};
  for (const key of list.keys) {
    const value = item[key] ?? list.keyDefaults[key];
    if (value === undefined) return undefined;
    keys[key] = value;
  }
  return `k:${JSON.stringify(keys)}`;
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
