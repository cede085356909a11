/** What each version of vLLM says of its flags: generated from its own parser into flag-table.json. */
import table from './flag-table.json' with { type: 'json' };
import type { EngineVersion } from './versions.ts';

/** How many values follow: one, none (`--x` and mostly `--no-x`), or one and more. */
export type FlagKind = 'value' | 'switch' | 'list';

/**
 * What a value is: any text; an integer; one that may end in k, m, g, t or K, M, G, T; one of these or `auto`; a number;
 * any JSON; a JSON object; JSON if it is in braces, and text else.
 */
export type ValueType = 'text' | 'int' | 'size' | 'sizeOrAuto' | 'float' | 'json' | 'object' | 'jsonOrText';

/** One flag of one version. */
export interface FlagFacts {
  kind: FlagKind;
  /** Absent for switches. */
  type?: ValueType;
  /** Where vLLM has a plain one; absent for None and for configurations. */
  default?: string | number | boolean;
  /** Other spellings: long ones without dashes in front, short ones with one. */
  aliases?: readonly string[];
  /** The only values that the parser takes. */
  choices?: readonly string[];
  /** The only values that vLLM takes while it starts, unless plug-ins add some. */
  names?: readonly string[];
  /** Of those, the ones that need `--allow-deprecated-quantization`. */
  deprecated?: readonly string[];
  /** JSON that an `object` may be besides an object. */
  alsoJson?: readonly string[];
  /** Choices are taken in upper and lower case, and with dashes for underscores. */
  anyCase?: boolean;
  /** A switch without its `--no-` form. */
  positiveOnly?: boolean;
  /** The value may be left out. */
  valueOptional?: boolean;
  /** An empty value and `None` are taken for not set. */
  none?: boolean;
}

/** Versions of the table as text: `0.12-0.17 0.20-`, both ends included and open where nothing stands; empty for all. */
export type VersionRanges = string;

/** An attribute that is the same in all versions, or one for each of some ranges. */
type Over<T> = T | Readonly<Record<VersionRanges, T>>;

/** Names with the versions that have them. */
type NamesOver = Readonly<Record<string, VersionRanges>>;

/** One flag in all versions: a line of flag-table.json. */
export type FlagHistory = {
  in?: VersionRanges;
} & {
  [K in Exclude<keyof FlagFacts, ListAttribute>]?: Over<NonNullable<FlagFacts[K]>>;
} & { [K in ListAttribute]?: NamesOver };

/** The attributes that are lists of names. */
export const LIST_ATTRIBUTES = ['aliases', 'choices', 'names', 'deprecated', 'alsoJson'] as const;
type ListAttribute = (typeof LIST_ATTRIBUTES)[number];

/** flag-table.json. Minor versions only: a patch removes no flag (vLLM's RELEASE.md). */
export interface FlagTable {
  /** One of each minor version that was read, oldest first. */
  versions: readonly string[];
  flags: Readonly<Record<string, FlagHistory>>;
}

export const FLAG_TABLE = table as unknown as FlagTable;

/** Minor versions of the table, oldest first, such as `0.28`. */
export const MINORS: readonly string[] = FLAG_TABLE.versions.map(minorOf);

/** `0.28` of `0.28.1`. */
export function minorOf(version: string): string {
  return version.split('.').slice(0, 2).join('.');
}

/** Negative when minor version a is older than b. */
export function compareMinors(a: string, b: string): number {
  const [[majorA = 0, minorA = 0], [majorB = 0, minorB = 0]] = [a, b].map((text) =>
    text.split('.').map(Number),
  ) as [number[], number[]];
  return majorA - majorB || minorA - minorB;
}

/** The minor version that follows in the table; undefined after the newest one. */
export function minorAfter(minor: string): string | undefined {
  return MINORS[MINORS.indexOf(minor) + 1];
}

/** The minor version that answers for a version: its own, or the nearest end of the table. */
export function minorInTable({ major, minor }: EngineVersion): string {
  const wanted = `${major}.${minor}`;
  const [oldest = wanted] = MINORS;
  const newest = MINORS.at(-1) ?? wanted;
  if (compareMinors(wanted, oldest) < 0) return oldest;
  return compareMinors(wanted, newest) > 0 ? newest : wanted;
}

/** Whether the table ends before a version: nobody has read that one's parser. */
export function isBeyondTable({ major, minor }: EngineVersion): boolean {
  return compareMinors(`${major}.${minor}`, MINORS.at(-1) ?? '') > 0;
}

/** Whether a version is older than a minor version. */
export function isBefore({ major, minor }: EngineVersion, other: string): boolean {
  return compareMinors(`${major}.${minor}`, other) < 0;
}

/** Whether a minor version is in ranges. */
export function isIn(ranges: VersionRanges, minor: string): boolean {
  if (ranges === '') return true;
  return ranges.split(' ').some((range) => {
    const [from = '', to = from] = range.includes('-') ? range.split('-') : [range];
    return (from === '' || compareMinors(from, minor) <= 0) && (to === '' || compareMinors(minor, to) <= 0);
  });
}

/** Whether a version has the flag of a long name. Beyond the table's end, the newest version of it answers. */
export function hasFlag(name: string, version: EngineVersion): boolean {
  const history = FLAG_TABLE.flags[name];
  return history !== undefined && isIn(history.in ?? '', minorInTable(version));
}

/** What a version says of the flag of a long name; undefined when it has no such flag. */
export function flagFacts(name: string, version: EngineVersion): FlagFacts | undefined {
  const history = FLAG_TABLE.flags[name];
  return history && factsAt(history, minorInTable(version));
}

/** The minor version from which on a flag lacks a name that it had before, seen from a version. */
export function nameGoneSince(flag: string, name: string, version: EngineVersion): string | undefined {
  const names = FLAG_TABLE.flags[flag]?.names ?? {};
  if (!Object.hasOwn(names, name)) return undefined;
  const ranges = names[name] ?? '';
  const minor = minorInTable(version);
  const last = MINORS.filter((each) => isIn(ranges, each) && compareMinors(each, minor) < 0).at(-1);
  return last === undefined ? undefined : minorAfter(last);
}

/** The facts of a flag in one minor version. */
export function factsAt(history: FlagHistory, minor: string): FlagFacts | undefined {
  const { in: ranges = '', ...attributes } = history;
  if (!isIn(ranges, minor)) return undefined;
  const entries = Object.entries(attributes).flatMap(([key, value]): [string, unknown][] => {
    if ((LIST_ATTRIBUTES as readonly string[]).includes(key)) {
      const names = Object.entries(value as NamesOver).flatMap(([name, over]) =>
        isIn(over, minor) ? [name] : [],
      );
      return names.length === 0 ? [] : [[key, names]];
    }
    if (typeof value !== 'object') return [[key, value]];
    const found = Object.entries(value).find(([over]) => isIn(over, minor));
    return found === undefined ? [] : [[key, found[1]]];
  });
  return Object.fromEntries(entries) as unknown as FlagFacts;
}
