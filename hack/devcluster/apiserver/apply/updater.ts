import type { ApiObject } from '../api-object.ts';
import { equal, isObject, type Json } from '../json.ts';
import type { TypeNode } from '../schema/type-node.ts';
import { type Cause, StatusError } from '../status-error.ts';
import { describePath, FieldSet } from './field-set.ts';
import { type FieldConflict, syncLastApplied, withoutAllowed } from './last-applied.ts';
import {
  decodeManaged,
  type ManagedEntry,
  sameManager,
  stripUnmanaged,
  withManaged,
  withoutManaged,
} from './managed-fields.ts';
import type { ManagedWrite } from './managed-write.ts';
import {
  type Comparison,
  compareValues,
  fieldSetOf,
  mergeValues,
  removePaths,
  withNamedParents,
} from './typed-value.ts';

/** Most Update entries that an object keeps; older ones are merged (CapManagers of apimachinery). */
const MAX_UPDATE_MANAGERS = 10;

function changesOf(type: TypeNode, old: Json, now: Json, reset: FieldSet): Comparison {
  const all = compareValues(type, old, now);
  const clean = (set: FieldSet): FieldSet => stripUnmanaged(set.recursiveDifference(reset));
  return { added: clean(all.added), modified: clean(all.modified), removed: clean(all.removed) };
}

/**
 * Records the fields that an Update operation (create, replace, patch) now owns. `before` is the live object,
 * or, on create, an empty one of the kind.
 */
export function trackUpdate(before: ApiObject, after: ApiObject, write: ManagedWrite): ApiObject {
  const entries = sentEntries(before, after, write);
  // Objects whose managedFields were cleared are not tracked until someone applies (skipNonAppliedManager).
  if (entries.length === 0 && before.metadata.uid !== undefined) return withManaged(after, []);
  const change = changesOf(write.type, withoutManaged(before), withoutManaged(after), write.reset);
  const taken = change.added.union(change.modified);
  const others = entries.map((entry) => ({
    ...entry,
    fields: entry.fields.difference(taken).difference(change.removed),
  }));
  const kept = others.filter((entry) => !entry.fields.empty);
  if (taken.empty) return withManaged(after, kept);
  const mine = entries.find((entry) => sameManager(entry, write.identity));
  const rest = kept.filter((entry) => !sameManager(entry, write.identity));
  const fields = (mine?.fields.difference(change.removed) ?? new FieldSet()).union(taken);
  const own: ManagedEntry = { ...write.identity, time: write.time, fields };
  return withManaged(after, capUpdates([...rest, own]));
}

/** The managers that own a path of an object. */
export function ownersOf(object: ApiObject, path: readonly string[]): ManagedEntry[] {
  return decodeManaged(object.metadata.managedFields).filter((entry) => entry.fields.has(path));
}

/** A client may rewrite managedFields on the resource itself, and `[{}]` clears them; else the live ones count. */
function sentEntries(before: ApiObject, after: ApiObject, write: ManagedWrite): ManagedEntry[] {
  const sent = after.metadata.managedFields;
  const live = decodeManaged(before.metadata.managedFields);
  if (write.identity.subresource !== '' || !Array.isArray(sent)) return live;
  const [only] = sent;
  if (sent.length === 1 && isObject(only) && Object.keys(only).length === 0) return [];
  const entries = decodeManaged(sent);
  return entries.length === 0 ? live : entries;
}

function capUpdates(entries: ManagedEntry[]): ManagedEntry[] {
  const updates = entries
    .filter((entry) => entry.operation === 'Update')
    .sort((a, b) => (a.time < b.time ? -1 : 1));
  const excess = updates.length - MAX_UPDATE_MANAGERS;
  if (excess <= 0) return entries;
  const old = updates.slice(0, excess + 1);
  const fields = old.reduce((all, entry) => all.union(entry.fields), new FieldSet());
  const merged = old.at(-1);
  const rest = entries.filter((entry) => !old.includes(entry));
  return merged ? [...rest, { ...merged, manager: 'ancient-changes', fields }] : rest;
}

/** The parameters of an apply. */
export interface ApplyOptions {
  force: boolean;
  /** The object that a create is compared with. */
  blank: ApiObject;
  /** Turns the merged value into the object that is written. */
  finish(object: ApiObject): ApiObject;
}

/**
 * Server-side apply: merges the configuration into the live object, removes what this manager gave up, and updates
 * ownership. Throws a Conflict when others own changed fields and `force` is not set.
 */
export function applyConfiguration(
  before: ApiObject,
  configuration: ApiObject,
  write: ManagedWrite,
  options: ApplyOptions,
): ApiObject {
  const live = withoutManaged(before);
  const config = withoutManaged(configuration);
  const entries = liveEntries(before, write, options.blank);
  const previous = entries.find((entry) => sameManager(entry, write.identity));
  // The name stays in the set until the end. Otherwise it would be removed with the last other field of metadata.
  const set = fieldSetOf(write.type, config).recursiveDifference(write.reset);
  const own: ManagedEntry = { ...write.identity, time: write.time, fields: set };
  const others = entries.filter((entry) => !sameManager(entry, write.identity));
  const merged = mergeValues(write.type, live, config) as ApiObject;
  const pruned = previous ? prune(merged, previous.fields, [...others, own], write.type) : merged;
  const change = changesOf(write.type, live, pruned, write.reset);
  const taken = change.added.union(change.modified);
  const kept: ManagedEntry[] = [];
  const conflicts: FieldConflict[] = [];
  for (const entry of others) {
    const clash = entry.fields.intersection(taken);
    if (!clash.empty) conflicts.push({ entry, fields: clash });
    const fields = entry.fields.difference(clash).difference(change.removed);
    if (!fields.empty) kept.push({ ...entry, fields });
  }
  const standing = options.force ? [] : withoutAllowed(before, write, conflicts);
  if (standing.length > 0) throw applyConflict(standing);
  const time = equal(live, pruned) ? (previous?.time ?? '') : write.time;
  const mine = { ...own, fields: stripUnmanaged(set), time };
  return withManaged(syncLastApplied(options.finish(pruned), config, write), [...kept, mine]);
}

/** Who owns the live object; where nobody does, its fields belong to "before-first-apply". */
function liveEntries(before: ApiObject, write: ManagedWrite, blank: ApiObject): ManagedEntry[] {
  const known = decodeManaged(before.metadata.managedFields);
  if (known.length > 0 || before.metadata.uid === undefined) return known;
  const identity = {
    manager: 'before-first-apply',
    operation: 'Update',
    apiVersion: write.identity.apiVersion,
    subresource: write.identity.subresource,
  } as const;
  return decodeManaged(trackUpdate(blank, before, { ...write, identity }).metadata.managedFields);
}

/** Removes what the manager applied before and now left out, unless someone owns it (SMD prune). */
function prune(merged: ApiObject, last: FieldSet, entries: ManagedEntry[], type: TypeNode): ApiObject {
  const lastNamed = withNamedParents(type, last);
  const trimmed = removePaths(type, merged, lastNamed);
  const owned = entries.reduce((all, entry) => all.union(entry.fields), new FieldSet());
  const named = (value: Json): FieldSet => withNamedParents(type, fieldSetOf(type, value));
  const mergedSet = named(merged);
  const keep = named(trimmed).union(withNamedParents(type, owned));
  const restored = removePaths(type, merged, mergedSet.difference(keep));
  const dangling = mergedSet.difference(named(restored)).intersection(lastNamed);
  return removePaths(type, merged, dangling) as ApiObject;
}

/** 409 with the fields that others own. */
export function applyConflict(conflicts: FieldConflict[]): StatusError {
  const causes: Cause[] = [];
  const blocks: string[] = [];
  for (const { entry, fields } of conflicts) {
    const where = entry.subresource === '' ? '' : ` with subresource "${entry.subresource}"`;
    const when = entry.operation === 'Update' ? ` using ${entry.apiVersion}` : '';
    const who = `"${entry.manager}"${where}${when}`;
    const paths = [...fields.paths()].map(describePath);
    for (const field of paths)
      causes.push({ reason: 'FieldManagerConflict', message: `conflict with ${who}`, field });
    blocks.push(`conflicts with ${who}:\n${paths.map((path) => `- ${path}`).join('\n')}`);
  }
  const [only] = causes;
  const text =
    only && causes.length === 1
      ? `1 conflict: ${only.message}: ${only.field}`
      : `${causes.length} conflicts: ${blocks.sort().join('\n')}`;
  return new StatusError(409, 'Conflict', `Apply failed with ${text}`, {
    causes: causes.map((cause) => ({ ...cause })),
  });
}
