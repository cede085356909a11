import { isObject, type Json, type JsonObject } from '../json.ts';

/**
 * A set of field paths in the form of fieldsV1: path elements are `f:<name>`, `k:<keys as JSON>`,
 * `v:<value as JSON>` and `i:<index>`. Sets are not changed after they were built.
 */
export class FieldSet {
  readonly members: Set<string>;
  readonly children: Map<string, FieldSet>;

  constructor(members: Set<string> = new Set(), children: Map<string, FieldSet> = new Map()) {
    this.members = members;
    this.children = children;
  }

  static fromJson(fields: JsonObject): FieldSet {
    const set = new FieldSet();
    for (const [element, value] of Object.entries(fields)) {
      if (element === '.' || !isObject(value)) continue;
      const keys = Object.keys(value);
      if (keys.length === 0 || '.' in value) set.members.add(element);
      if (keys.some((key) => key !== '.')) set.children.set(element, FieldSet.fromJson(value));
    }
    return set;
  }

  toJson(): JsonObject {
    const out: JsonObject = {};
    for (const element of this.members) if (!this.children.has(element)) out[element] = {};
    for (const [element, child] of this.children) {
      out[element] = this.members.has(element) ? { '.': {}, ...child.toJson() } : child.toJson();
    }
    return out;
  }

  get empty(): boolean {
    return this.members.size === 0 && [...this.children.values()].every((child) => child.empty);
  }

  /** Adds a path; only while a set is being built. */
  insert(path: readonly string[]): void {
    let set: FieldSet = this;
    path.forEach((element, index) => {
      if (index === path.length - 1) set.members.add(element);
      else set = set.#childFor(element);
    });
  }

  has(path: readonly string[]): boolean {
    let set: FieldSet | undefined = this;
    for (const element of path.slice(0, -1)) set = set?.children.get(element);
    return set?.members.has(path.at(-1) ?? '') ?? false;
  }

  union(other: FieldSet): FieldSet {
    const children = new Map(this.children);
    for (const [element, child] of other.children) {
      const mine = children.get(element);
      children.set(element, mine ? mine.union(child) : child);
    }
    return new FieldSet(new Set([...this.members, ...other.members]), children);
  }

  difference(other: FieldSet): FieldSet {
    const members = new Set([...this.members].filter((element) => !other.members.has(element)));
    const children = new Map<string, FieldSet>();
    for (const [element, child] of this.children) {
      const theirs = other.children.get(element);
      const rest = theirs ? child.difference(theirs) : child;
      if (!rest.empty) children.set(element, rest);
    }
    return new FieldSet(members, children);
  }

  /** Like difference, but a member of `other` also removes all paths below it. */
  recursiveDifference(other: FieldSet): FieldSet {
    const members = new Set([...this.members].filter((element) => !other.members.has(element)));
    const children = new Map<string, FieldSet>();
    for (const [element, child] of this.children) {
      if (other.members.has(element)) continue;
      const theirs = other.children.get(element);
      const rest = theirs ? child.recursiveDifference(theirs) : child;
      if (!rest.empty) children.set(element, rest);
    }
    return new FieldSet(members, children);
  }

  intersection(other: FieldSet): FieldSet {
    const members = new Set([...this.members].filter((element) => other.members.has(element)));
    const children = new Map<string, FieldSet>();
    for (const [element, child] of this.children) {
      const theirs = other.children.get(element);
      const both = theirs ? child.intersection(theirs) : new FieldSet();
      if (!both.empty) children.set(element, both);
    }
    return new FieldSet(members, children);
  }

  equals(other: FieldSet): boolean {
    return this.difference(other).empty && other.difference(this).empty;
  }

  /** Every path, shortest first within a branch. */
  *paths(prefix: readonly string[] = []): Generator<string[]> {
    for (const element of this.members) yield [...prefix, element];
    for (const [element, child] of this.children) yield* child.paths([...prefix, element]);
  }

  #childFor(element: string): FieldSet {
    const known = this.children.get(element);
    if (known) return known;
    const made = new FieldSet();
    this.children.set(element, made);
    return made;
  }
}

/** A path as messages of conflicts write it: `.spec.containers[name="main"].image`. */
export function describePath(path: readonly string[]): string {
  return path.map(describeElement).join('');
}

function describeElement(element: string): string {
  const rest = element.slice(2);
  if (element.startsWith('f:')) return `.${rest}`;
  if (element.startsWith('v:')) return `[=${rest}]`;
  if (element.startsWith('i:')) return `[${rest}]`;
  const keys = JSON.parse(rest) as Record<string, Json>;
  return `[${Object.entries(keys)
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
    .join(',')}]`;
}
