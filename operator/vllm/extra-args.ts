/** Checks of `extraArgs`: what vLLM would refuse at start, and what the operator renders itself. */

import type { SpecIssue } from '../values/spec-issue.ts';
import type { Flag } from './flag.ts';
import { flagAvailability, matchFlag } from './flags.ts';
import { checkJsonFlags } from './json-flags.ts';
import { compareVersions, type EngineVersion, formatVersion, PINNED_VERSION } from './versions.ts';

interface Problem {
  reason: string;
  remedy: string;
}

function problemOfFlag(flag: Flag, version: EngineVersion): Problem | undefined {
  const name = `--${flag.name}`;
  if (flag.reserved !== undefined) {
    return { reason: `${name} belongs to the operator: ${flag.reserved}`, remedy: 'remove it' };
  }
  if (flag.field !== undefined) {
    return {
      reason: `${name} repeats the setting ${flag.field}`,
      remedy: `set spec.${flag.field} and remove the argument`,
    };
  }
  const availability = flagAvailability(flag, version);
  if (availability === 'removed') {
    return {
      reason: `vLLM removed ${name} in ${flag.removed}, and the engine is ${formatVersion(version)}`,
      remedy: flag.instead === undefined ? 'remove it' : `use ${flag.instead}`,
    };
  }
  if (availability === 'notYet') {
    return {
      reason: `vLLM has ${name} since ${flag.since}, and the engine is ${formatVersion(version)}`,
      remedy: 'remove it or use a newer engine image',
    };
  }
  return undefined;
}

/** Long names of the flags in `extraArgs`, for rules that depend on one being there. */
export function flagsIn(extraArgs: readonly string[], version: EngineVersion): Set<string> {
  const matches = extraArgs.map((argument) => matchFlag(argument, version));
  return new Set(matches.flatMap((match) => (match.kind === 'flag' ? [match.flag.name] : [])));
}

/**
 * Problems of `extraArgs` for an engine of a version; `field` names an argument. Flags that the table does not know are refused up to the
 * pinned version and passed on above it, where nobody knows yet.
 */
export function checkExtraArgs(
  extraArgs: readonly string[],
  version: EngineVersion,
  field: (at: number) => string,
): SpecIssue[] {
  const issues: SpecIssue[] = [];
  let accepts: 'none' | 'one' | 'many' = 'none';
  let needed: { at: number; name: string } | undefined;
  const report = (at: number, problem: Problem): void => {
    issues.push({ field: field(at), value: extraArgs[at], ...problem });
  };
  const reportMissing = (): void => {
    if (needed === undefined) return;
    report(needed.at, { reason: `--${needed.name} needs a value`, remedy: 'add it as --flag=value' });
    needed = undefined;
  };
  extraArgs.forEach((argument, at) => {
    const match = matchFlag(argument, version);
    if (match.kind === 'value') {
      if (accepts === 'none') {
        const reason =
          'it is not a flag and follows none that takes a value; the model is the only positional argument';
        report(at, { reason, remedy: 'remove it or write --flag=value' });
      }
      if (accepts === 'one') accepts = 'none';
      needed = undefined;
      return;
    }
    reportMissing();
    accepts = 'none';
    if (match.kind === 'ambiguous') {
      const reason = `vLLM cannot tell which of ${match.candidates.slice(0, 4).join(', ')} is meant`;
      report(at, { reason, remedy: 'write the flag in full' });
      accepts = 'many';
      return;
    }
    if (match.kind === 'unknown') {
      accepts = 'many';
      if (compareVersions(version, PINNED_VERSION) > 0) return;
      const reason = `vLLM ${formatVersion(version)} has no such flag and would exit`;
      report(at, { reason, remedy: 'correct its name or remove it' });
      return;
    }
    const problem = problemOfFlag(match.flag, version);
    if (problem !== undefined) report(at, problem);
    if (match.inlineValue || match.flag.kind === 'switch') return;
    accepts = match.flag.kind === 'list' ? 'many' : 'one';
    needed = { at, name: match.flag.name };
  });
  reportMissing();
  return [...issues, ...checkJsonFlags(extraArgs, version, field)];
}
