/** From what single versions say of their flags to the table of all versions, and back. */
import {
  compareMinors,
  type FlagFacts,
  type FlagHistory,
  type FlagTable,
  factsAt,
  LIST_ATTRIBUTES,
  minorOf,
  type VersionRanges,
} from '../../operator/vllm/flag-facts.ts';

/** The flags of one version by long name. */
export type FlagsOfVersion = ReadonlyMap<string, FlagFacts>;

/** What each version of a table says, by version. */
export function expandTable({ versions, flags }: FlagTable): Map<string, FlagsOfVersion> {
  return new Map(
    versions.map((version) => {
      const facts = Object.entries(flags).flatMap(([name, history]): [string, FlagFacts][] => {
        const found = factsAt(history, minorOf(version));
        return found === undefined ? [] : [[name, found]];
      });
      return [version, new Map(facts)];
    }),
  );
}

/** One table of several versions, at most one of each minor version. Flags and names in alphabetical order. */
export function compressVersions(read: ReadonlyMap<string, FlagsOfVersion>): FlagTable {
  const versions = [...read.keys()].sort((a, b) => compareMinors(minorOf(a), minorOf(b)));
  const minors = versions.map(minorOf);
  const names = new Set([...read.values()].flatMap((flags) => [...flags.keys()]));
  const flags = [...names].sort().map((name): [string, FlagHistory] => {
    const facts = versions.map((version) => read.get(version)?.get(name));
    return [name, historyOf(facts, minors)];
  });
  return { versions, flags: Object.fromEntries(flags) };
}

function historyOf(facts: readonly (FlagFacts | undefined)[], minors: readonly string[]): FlagHistory {
  const there = facts.map((each) => each !== undefined);
  const ranges = rangesOf(
    there,
    there.map(() => true),
    minors,
  );
  const keys = new Set(facts.flatMap((each) => Object.keys(each ?? {}) as (keyof FlagFacts)[]));
  const attributes = [...keys].sort().map((key): [string, unknown] => {
    const values = facts.map((each) => each?.[key]);
    const isList = (LIST_ATTRIBUTES as readonly string[]).includes(key);
    return [
      key,
      isList
        ? namesOver(values as (readonly string[] | undefined)[], there, minors)
        : valuesOver(values, there, minors),
    ];
  });
  return { ...(ranges !== '' && { in: ranges }), ...Object.fromEntries(attributes) } as FlagHistory;
}

function namesOver(
  lists: readonly (readonly string[] | undefined)[],
  there: readonly boolean[],
  minors: readonly string[],
): Record<string, VersionRanges> {
  const names = [...new Set(lists.flatMap((list) => list ?? []))].sort();
  return Object.fromEntries(
    names.map((name) => [
      name,
      rangesOf(
        lists.map((list) => list?.includes(name) === true),
        there,
        minors,
      ),
    ]),
  );
}

function valuesOver(
  values: readonly unknown[],
  there: readonly boolean[],
  minors: readonly string[],
): unknown {
  const different = [...new Set(values.filter((value) => value !== undefined))];
  const over = different.map((value): [string, unknown] => [
    rangesOf(
      values.map((each) => each === value),
      there,
      minors,
    ),
    value,
  ]);
  const [first] = over;
  return over.length === 1 && first?.[0] === '' ? first[1] : Object.fromEntries(over);
}

/** The versions to which something applies, as ranges of those in which it is possible. A range is open where the table ends. */
function rangesOf(
  isSo: readonly boolean[],
  could: readonly boolean[],
  minors: readonly string[],
): VersionRanges {
  if (isSo.every((so, at) => so === could[at])) return '';
  const ranges: string[] = [];
  for (let at = 0; at < minors.length; at += 1) {
    if (!isSo[at]) continue;
    const from = at;
    while (isSo[at + 1]) at += 1;
    ranges.push(`${from === 0 ? '' : minors[from]}-${at === minors.length - 1 ? '' : minors[at]}`);
  }
  return ranges.join(' ');
}

/** The table as text: a line for each flag, so that a change of one version shows as a change of few lines. */
export function formatTable({ versions, flags }: FlagTable): string {
  const lines = Object.entries(flags).map(
    ([name, history]) => `    ${JSON.stringify(name)}: ${JSON.stringify(history)}`,
  );
  return `{\n  "versions": ${JSON.stringify(versions)},\n  "flags": {\n${lines.join(',\n')}\n  }\n}\n`;
}
