import { equal, isObject, type Json, type JsonObject } from '../json.ts';
import type { TypeNode } from '../schema/type-node.ts';
import { FieldSet } from './field-set.ts';
import { fieldElement, indexItems, itemElement } from './path-element.ts';

/** What changed between two values. */
export interface Comparison {
  added: FieldSet;
  modified: FieldSet;
  removed: FieldSet;
}

function childType(type: TypeNode, key: string): TypeNode {
  return type.field(key) ?? type.element();
}

function isMap(type: TypeNode, value: Json | undefined): value is JsonObject {
  return (type.shape === 'map' || type.shape === 'any') && !type.atomic && isObject(value);
}

function isGranularList(type: TypeNode, value: Json | undefined): value is Json[] {
  return type.shape === 'list' && !type.atomic && Array.isArray(value);
}

/** The paths that a value sets (structured-merge-diff ToFieldSet). */
export function fieldSetOf(type: TypeNode, value: Json): FieldSet {
  const set = new FieldSet();
  collect(type, value, [], set);
  return set;
}

function collect(type: TypeNode, value: Json, path: string[], set: FieldSet): void {
  if (isMap(type, value)) {
    for (const [key, child] of Object.entries(value)) {
      const at = [...path, fieldElement(key)];
      collect(childType(type, key), child, at, set);
      const hollow = child === null || (isObject(child) && Object.keys(child).length === 0);
      if (hollow || type.field(key) === undefined) set.insert(at);
    }
    return;
  }
  if (isGranularList(type, value)) {
    for (const item of value) {
      const element = itemElement(type, item);
      if (element === undefined) continue;
      const at = [...path, element];
      collect(type.element(), item, at, set);
      set.insert(at);
    }
    return;
  }
  if (path.length > 0) set.insert(path);
}

/** Compares two values (structured-merge-diff Compare). */
export function compareValues(type: TypeNode, old: Json | undefined, now: Json | undefined): Comparison {
  const out: Comparison = { added: new FieldSet(), modified: new FieldSet(), removed: new FieldSet() };
  compare(type, old, now, [], out);
  return out;
}

function leaf(old: Json | undefined, now: Json | undefined, path: string[], out: Comparison): void {
  if (path.length === 0) return;
  if (old === undefined) out.added.insert(path);
  else if (now === undefined) out.removed.insert(path);
  else if (!equal(old, now)) out.modified.insert(path);
}

function compare(
  type: TypeNode,
  old: Json | undefined,
  now: Json | undefined,
  path: string[],
  out: Comparison,
): void {
  if (old === now) return;
  const maps = (isMap(type, old) || isNothing(old)) && (isMap(type, now) || isNothing(now));
  if (maps && (hasKeys(old) || hasKeys(now))) {
    const left = isObject(old) ? old : {};
    const right = isObject(now) ? now : {};
    for (const key of Object.keys(left)) {
      compare(childType(type, key), left[key], right[key], [...path, fieldElement(key)], out);
    }
    for (const key of Object.keys(right)) {
      if (key in left) continue;
      compare(childType(type, key), undefined, right[key], [...path, fieldElement(key)], out);
    }
    if (old === undefined || now === undefined) leaf(old, now, path, out);
    return;
  }
  const lists =
    (isGranularList(type, old) || isNothing(old)) && (isGranularList(type, now) || isNothing(now));
  if (lists && (hasItems(old) || hasItems(now))) {
    const left = indexItems(type, Array.isArray(old) ? old : []);
    const right = indexItems(type, Array.isArray(now) ? now : []);
    if (left && right) {
      for (const [element, item] of left) {
        compare(type.element(), item, right.get(element), [...path, element], out);
      }
      for (const [element, item] of right) {
        if (!left.has(element)) compare(type.element(), undefined, item, [...path, element], out);
      }
      if (old === undefined || now === undefined) leaf(old, now, path, out);
      return;
    }
  }
  leaf(old, now, path, out);
}

/** Whether a value is absent or null. Both compare as an empty list or map, but only null counts as present. */
function isNothing(value: Json | undefined): boolean {
  return value === undefined || value === null;
}

function hasKeys(value: Json | undefined): boolean {
  return isObject(value) && Object.keys(value).length > 0;
}

function hasItems(value: Json | undefined): boolean {
  return Array.isArray(value) && value.length > 0;
}

/**
 * Lays an applied configuration over the live value (structured-merge-diff Merge). Null counts as an empty map or list,
 * so it takes nothing away from one that has something.
 */
export function mergeValues(type: TypeNode, live: Json | undefined, applied: Json | undefined): Json {
  if (applied === undefined) return live ?? null;
  if (live === undefined) return applied;
  const maps = (isMap(type, live) || live === null) && (isMap(type, applied) || applied === null);
  if (maps && (hasKeys(live) || hasKeys(applied))) {
    const out: JsonObject = isObject(live) ? { ...live } : {};
    for (const [key, value] of Object.entries(isObject(applied) ? applied : {})) {
      out[key] = mergeValues(childType(type, key), out[key], value);
    }
    return out;
  }
  const lists =
    (isGranularList(type, live) || live === null) && (isGranularList(type, applied) || applied === null);
  if (lists && (hasItems(live) || hasItems(applied)))
    return mergeLists(type, Array.isArray(live) ? live : [], Array.isArray(applied) ? applied : []);
  return applied;
}

/** Keeps the order of the applied items and, between them, the live order (merge of SMD v6). */
function mergeLists(type: TypeNode, live: Json[], applied: Json[]): Json[] {
  const left = indexItems(type, live);
  const right = indexItems(type, applied);
  if (!left || !right) return applied;
  const rightKeys = [...right.keys()];
  const leftKeys = [...left.keys()];
  const out: Json[] = [];
  const done = new Set<string>();
  let r = 0;
  let l = 0;
  const shared = leftKeys.filter((key) => right.has(key));
  let next = 0;
  const emit = (key: string): void => {
    done.add(key);
    const mine = right.get(key);
    out.push(mergeValues(type.element(), left.get(key), mine));
  };
  while (l < leftKeys.length || r < rightKeys.length) {
    const leftKey = leftKeys[l];
    if (leftKey !== undefined && (done.has(leftKey) || !right.has(leftKey))) {
      if (!done.has(leftKey)) out.push(left.get(leftKey) ?? null);
      l++;
      continue;
    }
    const rightKey = rightKeys[r];
    if (rightKey !== undefined) {
      if (!done.has(rightKey)) {
        emit(rightKey);
        if (rightKey === shared[next]) next++;
      }
      r++;
      continue;
    }
    l++;
  }
  return out;
}

/** Takes the paths of a set out of a value; items and map entries go as a whole, what is empty then becomes null. */
export function removePaths(type: TypeNode, value: Json, paths: FieldSet): Json {
  if (isMap(type, value)) {
    const out: JsonObject = {};
    for (const [key, child] of Object.entries(value)) {
      const element = fieldElement(key);
      if (paths.members.has(element)) continue;
      const below = paths.children.get(element);
      out[key] = below && !below.empty ? removePaths(childType(type, key), child, below) : child;
    }
    return Object.keys(out).length === 0 ? null : out;
  }
  if (isGranularList(type, value)) {
    const out: Json[] = [];
    for (const item of value) {
      const element = itemElement(type, item) ?? '';
      if (paths.members.has(element)) continue;
      const below = paths.children.get(element);
      out.push(below && !below.empty ? removePaths(type.element(), item, below) : item);
    }
    return out.length === 0 ? null : out;
  }
  return value;
}

/** Adds the parents that are declared fields, as removal of owned fields needs (EnsureNamedFieldsAreMembers). */
export function withNamedParents(type: TypeNode, set: FieldSet): FieldSet {
  const members = new Set(set.members);
  const children = new Map<string, FieldSet>();
  for (const [element, child] of set.children) {
    const name = element.startsWith('f:') ? element.slice(2) : undefined;
    const declared = name === undefined ? undefined : type.field(name);
    if (declared) members.add(element);
    children.set(element, withNamedParents(declared ?? type.element(), child));
  }
  return new FieldSet(members, children);
}
