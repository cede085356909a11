import type { Bindings } from './bindings.ts';

type Fields = Record<string, unknown>;

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function shown(value: unknown): string {
  return JSON.stringify(value)?.slice(0, 120) ?? 'undefined';
}

/** How an answer differs from the recorded one, one line for each place; wording of messages does not count. */
export function difference(recorded: unknown, answer: unknown, bindings: Bindings, path = ''): string[] {
  const key = path.split('.').at(-1) ?? '';
  if (key === 'message') return [];
  // Ages in cells of tables.
  if (recorded === '0s' && typeof answer === 'string' && /^\d+s$/.test(answer)) return [];
  if (Array.isArray(recorded)) return listDifference(recorded, answer, bindings, path);
  if (isFields(recorded)) return objectDifference(recorded, answer, bindings, path);
  const alike =
    typeof recorded === 'string'
      ? typeof answer === 'string' && bindings.matches(recorded, answer)
      : recorded === answer;
  return alike ? [] : [`${path}: want ${shown(recorded)} got ${shown(answer)}`];
}

function listDifference(recorded: unknown[], answer: unknown, bindings: Bindings, path: string): string[] {
  if (!Array.isArray(answer)) return [`${path}: want ${recorded.length} items got ${shown(answer)}`];
  if (path.endsWith('details.causes')) return causesDifference(recorded, answer, path);
  if (answer.length !== recorded.length)
    return [`${path}: want ${recorded.length} items got ${answer.length}`];
  if (path.endsWith('managedFields')) return managedDifference(recorded, answer, bindings, path);
  return recorded.flatMap((item, index) => difference(item, answer[index], bindings, `${path}[${index}]`));
}

/** Entries come by time in whole seconds, so their order may differ from the recording's. */
function managedDifference(
  recorded: unknown[],
  answer: unknown[],
  bindings: Bindings,
  path: string,
): string[] {
  const key = (entry: unknown): string =>
    isFields(entry) ? [entry.operation, entry.manager, entry.subresource, entry.apiVersion].join(' ') : '';
  const sorted = (entries: unknown[]): unknown[] => entries.toSorted((a, b) => (key(a) < key(b) ? -1 : 1));
  return sorted(recorded).flatMap((item, index) =>
    difference(item, sorted(answer)[index], bindings, `${path}{${index}}`),
  );
}

/** Causes are a set of reasons and fields. */
function causesDifference(recorded: unknown[], answer: unknown[], path: string): string[] {
  const keys = (causes: unknown[]): string =>
    causes
      .map((cause) => (isFields(cause) ? `${String(cause.reason)} ${String(cause.field)}` : shown(cause)))
      .sort()
      .join('; ');
  return keys(recorded) === keys(answer) ? [] : [`${path}: want [${keys(recorded)}] got [${keys(answer)}]`];
}

function objectDifference(recorded: Fields, answer: unknown, bindings: Bindings, path: string): string[] {
  if (!isFields(answer)) return [`${path}: want an object got ${shown(answer)}`];
  // Keys of managedFields may carry uids of owners.
  const wanted = Object.fromEntries(
    Object.entries(recorded).map(([key, value]) => [
      key.includes('<uid:') ? bindings.fillText(key) : key,
      value,
    ]),
  );
  const out = versionDifference(wanted, answer, bindings, path);
  for (const [key, value] of Object.entries(wanted)) {
    if (key === 'resourceVersion' && isVersion(value)) continue;
    if (key in answer) out.push(...difference(value, answer[key], bindings, `${path}.${key}`));
    else out.push(`${path}.${key}: missing`);
  }
  for (const key of Object.keys(answer))
    if (!(key in wanted)) out.push(`${path}.${key}: unexpected ${shown(answer[key])}`);
  return out;
}

function isVersion(value: unknown): value is string {
  return typeof value === 'string' && value.startsWith('<rv:');
}

function versionDifference(wanted: Fields, answer: Fields, bindings: Bindings, path: string): string[] {
  const version = wanted.resourceVersion;
  if (!isVersion(version)) return [];
  const { uid } = wanted;
  const sent = answer.resourceVersion;
  if (typeof uid !== 'string') {
    // Versions of lists and tables belong to no object.
    return bindings.bindListVersion(version, sent)
      ? []
      : [`${path}.resourceVersion: want a number got ${shown(sent)}`];
  }
  if (difference(uid, answer.uid, bindings).length === 0 && bindings.bindVersion(uid, version, sent))
    return [];
  return [`${path}.resourceVersion: want ${version} got ${shown(answer.resourceVersion)}`];
}
