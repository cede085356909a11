/** What is imported: an InferenceModel in the making, and what could not be carried over. */
import { printable } from '../../values/printable.ts';
import type { SpecIssue } from '../../values/spec-issue.ts';

/** A part of a YAML document. */
export type Fields = Record<string, unknown>;

export interface Draft {
  /** What it is imported from, for messages, such as `Deployment team-a/chat`. */
  from: string;
  name: string;
  namespace?: string;
  /** The spec of the InferenceModel, without poolRef. */
  spec: Fields;
  /** What is not carried over, or has to be looked at. Fields are those of the source. */
  notes: SpecIssue[];
}

/** The value as an object; an empty one if it is something else. */
export function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}

/** The objects of a list; none if it is something else. */
export function listOf(value: unknown): Fields[] {
  return Array.isArray(value) ? value.map(fieldsOf) : [];
}

/** The texts of a list; numbers and booleans as YAML reads them become text again. */
export function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.flatMap((item) => (isScalar(item) ? [String(item)] : [])) : [];
}

/** A text; undefined if it is something else or empty. */
export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function isScalar(value: unknown): value is string | number | boolean {
  return ['string', 'number', 'boolean'].includes(typeof value);
}

/** Whether nothing is in it. */
export function isEmpty(value: unknown): boolean {
  return (
    value === undefined || value === null || (typeof value === 'object' && Object.keys(value).length === 0)
  );
}

/** Sets a field by its path below the spec, such as `engine.batching.maxNumSeqs`. Empty values are left out. */
export function setField(draft: Draft, path: string, value: unknown): void {
  if (isEmpty(value)) return;
  const names = path.split('.');
  const last = names.pop() ?? '';
  let at = draft.spec;
  for (const name of names) {
    const next = fieldsOf(at[name]);
    at[name] = next;
    at = next;
  }
  at[last] = value;
}

/** The field of that path below the spec. */
export function fieldAt(draft: Draft, path: string): unknown {
  return path.split('.').reduce<unknown>((at, name) => fieldsOf(at)[name], draft.spec);
}

/** Notes that a field of the source is not carried over. Values are shortened, because sources may be of any size. */
export function note(draft: Draft, field: string, value: unknown, reason: string, remedy: string): void {
  const shown = typeof value === 'string' ? printable(value).slice(0, MAX_SHOWN) : value;
  const isShort = JSON.stringify(shown)?.length <= MAX_SHOWN + 2;
  draft.notes.push({ field, value: isShort ? shown : undefined, reason, remedy });
}

const MAX_SHOWN = 120;

/** Notes the fields of a source that nobody reads. `remedies` by field. */
export function noteOthers(
  draft: Draft,
  source: Fields,
  read: readonly string[],
  { place = '', remedies = {} }: { place?: string; remedies?: Readonly<Record<string, string>> } = {},
): void {
  for (const [name, value] of Object.entries(source)) {
    if (read.includes(name) || isEmpty(value) || value === false) continue;
    const remedy = ownOf(remedies, name) ?? 'look for it in `kubectl explain inferencemodel.spec`';
    note(draft, `${place}${name}`, isSecret(name) ? undefined : value, NOT_HERE, remedy);
  }
}

/** The entry of a table, never something that every object has such as `constructor`. */
export function ownOf<T>(table: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined;
}

/** Whether the value of a field or flag must not be in messages. */
export function isSecret(name: string): boolean {
  return /token|secret|password|credential|api[-_]?key/i.test(name);
}

/** Reason for fields of which an InferenceModel has no like. */
export const NOT_HERE = 'it has no counterpart';

/** Longest name that becomes one, in characters. */
const MAX_NAME = 40;

/** A name as Kubernetes takes it, of the letters and digits of another one; empty if there are none. */
export function nameFrom(text: string): string {
  const words = text
    .slice(0, MAX_NAME)
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter((word) => word !== '');
  return /^[0-9]/.test(words[0] ?? '') ? `m-${words.join('-')}` : words.join('-');
}
