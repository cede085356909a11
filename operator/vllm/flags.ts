/** Which flag an argument means, and whether an engine of a version has it. */
import type { Flag } from './flag.ts';
import { flagFacts, hasFlag } from './flag-facts.ts';
import { FLAGS } from './flag-table.ts';
import type { EngineVersion } from './versions.ts';

const byName = new Map(FLAGS.map((flag) => [flag.name, flag]));
const byAlias = Map.groupBy(
  FLAGS.flatMap((flag) => (flag.aliases ?? []).map((alias) => ({ alias, flag }))),
  ({ alias }) => alias,
);
const optimizationLevel = byName.get('optimization-level');

/** The flag that a whole option means in a version; one that the version lacks only if it has no other of that spelling. */
function flagOf(option: string, version: EngineVersion): Flag | undefined {
  // vLLM replaces it by the long form before it parses.
  if (option === '-O' && optimizationLevel && hasFlag(optimizationLevel.name, version))
    return optimizationLevel;
  const named = byName.get(option);
  const candidates = [named, ...(byAlias.get(option) ?? []).map(({ flag }) => flag)];
  const present = candidates.find((flag) => {
    const facts = flag && flagFacts(flag.name, version);
    return facts !== undefined && (flag === named || facts.aliases?.includes(option));
  });
  return present ?? candidates.find((flag) => flag !== undefined && !hasFlag(flag.name, version));
}

/** The flag of that long name, without `--`. Throws RangeError for one the table lacks: a bug in the caller. */
export function flagNamed(name: string): Flag {
  const flag = byName.get(name);
  if (flag === undefined) throw new RangeError(`no flag --${name} in the table`);
  return flag;
}

/** An argument read as vLLM's parser reads it. */
export type FlagMatch =
  | { kind: 'flag'; flag: Flag; negated: boolean; inline?: string; dotted: boolean }
  | { kind: 'ambiguous'; candidates: string[] }
  | { kind: 'unknown' }
  | { kind: 'value' };

/** The flag of a long option; without what follows `=` or a dot. */
function matchLong(name: string, version: EngineVersion): FlagMatch {
  const exact = flagOf(name, version);
  if (exact !== undefined) return { kind: 'flag', flag: exact, negated: false, dotted: false };
  const positive = name.startsWith('no-') ? byName.get(name.slice(3)) : undefined;
  if (positive !== undefined && isNegatable(positive, version)) {
    return { kind: 'flag', flag: positive, negated: true, dotted: false };
  }
  if (name === '') return { kind: 'unknown' };
  // argparse accepts any unambiguous beginning of a long option.
  const candidates = FLAGS.filter((flag) => mayBegin(flag, name) && hasFlag(flag.name, version))
    .flatMap((flag) => longForms(flag, version))
    .filter(({ form }) => form.startsWith(name));
  const [first, ...others] = candidates;
  if (first === undefined) return { kind: 'unknown' };
  if (others.length === 0) return { kind: 'flag', flag: first.flag, negated: first.negated, dotted: false };
  return { kind: 'ambiguous', candidates: candidates.map(({ form }) => `--${form}`) };
}

/** Whether some form of a flag in some version begins so. */
function mayBegin({ name, aliases = [] }: Flag, beginning: string): boolean {
  return [name, `no-${name}`, ...aliases].some((form) => form.startsWith(beginning));
}

function isNegatable(flag: Flag, version: EngineVersion): boolean {
  const { kind, positiveOnly } = flagFacts(flag.name, version) ?? { kind: flag.kind };
  return kind === 'switch' && positiveOnly !== true;
}

/** The long options of a flag in a version that has it, without `--`. */
function longForms(flag: Flag, version: EngineVersion): { form: string; flag: Flag; negated: boolean }[] {
  const facts = flagFacts(flag.name, version);
  if (facts === undefined) return [];
  const others = (facts.aliases ?? []).filter((alias) => !alias.startsWith('-'));
  return [
    ...[flag.name, ...others].map((form) => ({ form, flag, negated: false })),
    ...(isNegatable(flag, version) ? [{ form: `no-${flag.name}`, flag, negated: true }] : []),
  ];
}

/** The flag of a short option; a one-letter form may have its value attached: -O3, -qawq. */
function matchShort(name: string, version: EngineVersion): FlagMatch {
  const exact = flagOf(name, version);
  if (exact !== undefined) return { kind: 'flag', flag: exact, negated: false, dotted: false };
  const letter = flagOf(name.slice(0, 2), version);
  if (letter === undefined) return { kind: 'unknown' };
  return { kind: 'flag', flag: letter, negated: false, dotted: false, inline: name.slice(2) };
}

/**
 * Finds the flag that one argument names, in any spelling that vLLM accepts: `--a-b`, `--a_b`, `--a-b=1`, `--no-a-b`,
 * `--config.key=1` for JSON flags, an unambiguous beginning, and the short forms `-tp 4`, `-tp=4`, `-O3`.
 */
export function matchFlag(argument: string, version: EngineVersion): FlagMatch {
  if (!argument.startsWith('-') || /^-[0-9.]/.test(argument) || argument === '-') return { kind: 'value' };
  const [key = '', ...rest] = argument.split('=');
  const path = key.split('.')[0] ?? '';
  const match = path.startsWith('--')
    ? matchLong(path.slice(2).replaceAll('_', '-'), version)
    : matchShort(path, version);
  if (match.kind !== 'flag') return match;
  return {
    ...match,
    dotted: key.includes('.'),
    ...(rest.length > 0 && { inline: rest.join('=') }),
  };
}
