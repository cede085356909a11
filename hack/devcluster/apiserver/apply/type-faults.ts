import { goTypeOf, isObject, type Json, type JsonObject } from '../json.ts';
import type { TypeNode } from '../schema/type-node.ts';
import { itemElement, itemFault } from './path-element.ts';

/**
 * What keeps a value from being applied as a type: fields that the schema does not have, values of another type, items
 * without or with the same key. Each as structured-merge-diff reports it, with its path in front.
 */
export function typeFaults(type: TypeNode, value: Json): string[] {
  const faults: string[] = [];
  walk(type, value, '', faults);
  return faults;
}

function walk(type: TypeNode, value: Json, path: string, faults: string[]): void {
  if (value === null) return;
  const add = (text: string): void => {
    faults.push(`${path}: ${text}`);
  };
  if (type.shape === 'list') {
    if (Array.isArray(value)) walkList(type, value, path, faults);
    else add(`expected list, got ${shown(value)}`);
  } else if (type.shape === 'map') {
    if (isObject(value)) walkMap(type, value, path, faults);
    else add(`expected map, got ${shown(value)}`);
  } else if (type.shape === 'any') {
    if (isObject(value)) walkMap(type, value, path, faults);
  } else if (!isScalar(type, value)) add(scalarFault(type, value));
}

function walkMap(type: TypeNode, value: JsonObject, path: string, faults: string[]): void {
  for (const [key, child] of Object.entries(value)) {
    const at = `${path}.${key}`;
    const field = type.field(key);
    if (!field && type.closed) {
      // As there, what follows in this map is not looked at.
      faults.push(`${at}: field not declared in schema`);
      return;
    }
    walk(field ?? type.element(), child, at, faults);
  }
}

function walkList(type: TypeNode, value: Json[], path: string, faults: string[]): void {
  const seen = new Set<string>();
  for (const [index, item] of value.entries()) {
    const fault = itemFault(type, item);
    if (fault !== undefined) {
      faults.push(`${path}: element ${index}: ${fault}`);
      return;
    }
    const element = itemElement(type, item);
    const name = element === undefined ? `[${index}]` : nameOf(element);
    if (element !== undefined && seen.has(element)) faults.push(`${path}: duplicate entries for key ${name}`);
    if (element !== undefined) seen.add(element);
    walk(type.element(), item, `${path}${name}`, faults);
  }
}

function isScalar(type: TypeNode, value: Json): boolean {
  if (type.scalar === 'numeric') return typeof value === 'number';
  return type.scalar === 'untyped' ? typeof value !== 'object' : typeof value === type.scalar;
}

function scalarFault(type: TypeNode, value: Json): string {
  if (type.scalar === 'numeric') return `expected numeric (int or float), got ${goTypeOf(value)}`;
  if (type.scalar === 'string') return `expected string, got &value.valueUnstructured{Value:${shown(value)}}`;
  return `expected ${type.scalar === 'boolean' ? 'boolean' : 'any scalar'}, got ${shown(value)}`;
}

function shown(value: Json): string {
  return JSON.stringify(value);
}

/** `k:{"name":"a"}` as `[name="a"]`, `v:"a"` as `[="a"]`. */
function nameOf(element: string): string {
  const parsed = JSON.parse(element.slice(2)) as Json;
  const keys =
    element.startsWith('k:') && isObject(parsed) ? Object.entries(parsed) : [['', parsed] as const];
  return `[${keys.map(([key, item]) => `${key}=${JSON.stringify(item)}`).join(',')}]`;
}
