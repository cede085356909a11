/** Which flag an argument means, and whether an engine of a version has it. */
import type { Flag } from './flag.ts';
import { FLAGS } from './flag-table.ts';
import { compareVersions, type EngineVersion, parseVersion } from './versions.ts';

const byName = new Map(FLAGS.map((flag) => [flag.name, flag]));
const byShortForm = new Map(
  FLAGS.flatMap((flag) => (flag.aliases ?? []).map((alias) => [alias, flag] as const)),
);

/** The flag of that long name, without `--`. Throws RangeError for one the table lacks: a bug in the caller. */
export function flagNamed(name: string): Flag {
  const flag = byName.get(name);
  if (flag === undefined) throw new RangeError(`no flag --${name} in the table`);
  return flag;
}

function versionOf(text: string): EngineVersion {
  const version = parseVersion(text);
  if (version === undefined) throw new RangeError(`not a version: ${text}`);
  return version;
}

/** Where an engine stands to a flag: has it, does not have it yet, or no longer. */
export function flagAvailability(flag: Flag, version: EngineVersion): 'available' | 'notYet' | 'removed' {
  if (flag.removed !== undefined && compareVersions(version, versionOf(flag.removed)) >= 0) return 'removed';
  if (flag.since !== undefined && compareVersions(version, versionOf(flag.since)) < 0) return 'notYet';
  return 'available';
}

/** An argument read as vLLM's parser reads it. */
export type FlagMatch =
  | { kind: 'flag'; flag: Flag; negated: boolean; inlineValue: boolean }
  | { kind: 'ambiguous'; candidates: string[] }
  | { kind: 'unknown' }
  | { kind: 'value' };

function matchLong(name: string, inlineValue: boolean, version: EngineVersion): FlagMatch {
  const exact = byName.get(name);
  if (exact !== undefined) return { kind: 'flag', flag: exact, negated: false, inlineValue };
  const positive = name.startsWith('no-') ? byName.get(name.slice(3)) : undefined;
  if (positive?.kind === 'switch') return { kind: 'flag', flag: positive, negated: true, inlineValue };
  // argparse accepts any unambiguous beginning of a long option.
  const candidates = FLAGS.filter((flag) => flagAvailability(flag, version) === 'available').flatMap(
    (flag) => [
      ...(flag.name.startsWith(name) ? [{ flag, negated: false }] : []),
      ...(flag.kind === 'switch' && `no-${flag.name}`.startsWith(name) ? [{ flag, negated: true }] : []),
    ],
  );
  const [first, ...others] = candidates;
  if (first === undefined || name === '') return { kind: 'unknown' };
  if (others.length === 0) return { kind: 'flag', ...first, inlineValue };
  return {
    kind: 'ambiguous',
    candidates: candidates.map(({ flag, negated }) => `--${negated ? 'no-' : ''}${flag.name}`),
  };
}

/**
 * Finds the flag that one argument names, in any spelling that vLLM accepts: `--a-b`, `--a_b`, `--a-b=1`, `--no-a-b`,
 * `--config.key=1` for JSON flags, an unambiguous beginning, and the short forms `-tp 4`, `-tp=4`, `-O3`.
 */
export function matchFlag(argument: string, version: EngineVersion): FlagMatch {
  if (!argument.startsWith('-') || /^-[0-9.]/.test(argument) || argument === '-') return { kind: 'value' };
  const [key = '', ...rest] = argument.split('=');
  const inlineValue = rest.length > 0;
  const path = key.split('.')[0] ?? '';
  if (path.startsWith('--')) return matchLong(path.slice(2).replaceAll('_', '-'), inlineValue, version);
  const short = byShortForm.get(path);
  if (short !== undefined) return { kind: 'flag', flag: short, negated: false, inlineValue };
  // A one-letter form may have its value attached: -O3, -qawq.
  const letter = byShortForm.get(path.slice(0, 2));
  if (letter !== undefined) return { kind: 'flag', flag: letter, negated: false, inlineValue: true };
  return { kind: 'unknown' };
}
