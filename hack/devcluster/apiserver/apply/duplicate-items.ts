import { isObject, type Json } from '../json.ts';
import type { TypeNode } from '../schema/type-node.ts';
import { itemElement } from './path-element.ts';

/** Items of applied lists that have the key of another one, as structured-merge-diff reports them. */
export function duplicateItems(type: TypeNode, value: Json | undefined, path = ''): string[] {
  if (type.atomic) return [];
  if (Array.isArray(value) && type.shape === 'list') {
    const seen = new Set<string>();
    return value.flatMap((item) => {
      const element = itemElement(type, item);
      if (element === undefined) return [];
      const name = nameOf(element);
      const again = seen.has(element) ? [`${path}: duplicate entries for key ${name}`] : [];
      seen.add(element);
      return [...again, ...duplicateItems(type.element(), item, `${path}${name}`)];
    });
  }
  if (!isObject(value)) return [];
  return Object.entries(value).flatMap(([key, child]) =>
    duplicateItems(type.field(key) ?? type.element(), child, `${path}.${key}`),
  );
}

/** `k:{"name":"a"}` as `[name="a"]`, `v:"a"` as `[="a"]`. */
function nameOf(element: string): string {
  const parsed = JSON.parse(element.slice(2)) as Json;
  const keys =
    element.startsWith('k:') && isObject(parsed) ? Object.entries(parsed) : [['', parsed] as const];
  return `[${keys.map(([key, item]) => `${key}=${JSON.stringify(item)}`).join(',')}]`;
}
