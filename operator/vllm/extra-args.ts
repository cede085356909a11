/** Checks of `extraArgs`: what vLLM would refuse at start, and what the operator renders itself. */
import type { SpecIssue } from '../values/spec-issue.ts';
import type { Flag } from './flag.ts';
import { type FlagFacts, flagFacts, hasFlag, isBefore, isBeyondTable, nameGoneSince } from './flag-facts.ts';
import { FLAGS } from './flag-table.ts';
import { problemOfValue, type ValueProblem } from './flag-value.ts';
import { type FlagMatch, matchFlag } from './flags.ts';
import { nearestName } from './nearest-name.ts';
import { type EngineVersion, formatVersion } from './versions.ts';

/** The engine that gets the arguments. */
export interface ArgumentsFor {
  version: EngineVersion;
  /** Whether it knows vLLM's own names and no others, as plug-ins in other images bring some. */
  stock: boolean;
}

/** Flags whose plug-ins bring more names of parsers. */
const NAMES_FROM_PLUGINS: Readonly<Record<string, string>> = {
  'tool-call-parser': 'tool-parser-plugin',
  'reasoning-parser': 'reasoning-parser-plugin',
};

function problemOfOwner(flag: Flag): ValueProblem | undefined {
  const name = `--${flag.name}`;
  if (flag.reserved !== undefined) {
    return { reason: `${name} belongs to the operator: ${flag.reserved}`, remedy: 'remove it' };
  }
  if (flag.field === undefined) return undefined;
  return {
    reason: `${name} repeats the setting ${flag.field}`,
    remedy: `set spec.${flag.field} and remove the argument`,
  };
}

/** Why a version lacks a flag; undefined where it has it, or is older than all that is known of the flag. */
export function problemOfAbsence(flag: Flag, version: EngineVersion): ValueProblem | undefined {
  if (hasFlag(flag.name, version)) return undefined;
  const name = `--${flag.name}`;
  const engine = formatVersion(version);
  if (flag.since !== undefined && isBefore(version, flag.since)) {
    return {
      reason: `vLLM has ${name} since ${flag.since}, and the engine is ${engine}`,
      remedy: 'remove it or use a newer engine image',
    };
  }
  if (flag.removed !== undefined && isBefore(version, flag.removed)) return undefined;
  return {
    reason: `vLLM removed ${name} in ${flag.removed}, and the engine is ${engine}`,
    remedy: flag.instead === undefined ? 'remove it' : `use ${flag.instead}`,
  };
}

/** Long names of the flags in `extraArgs`, for rules that depend on one being there. */
export function flagsIn(extraArgs: readonly string[], version: EngineVersion): Set<string> {
  const matches = extraArgs.map((argument) => matchFlag(argument, version));
  return new Set(matches.flatMap((match) => (match.kind === 'flag' ? [match.flag.name] : [])));
}

/** What is wrong with the value of a flag in an engine with these arguments. */
export function problemOfFlagValue(
  name: string,
  text: string,
  { version, stock }: ArgumentsFor,
  flags: ReadonlySet<string>,
): ValueProblem | undefined {
  const facts = flagFacts(name, version);
  if (facts === undefined) return undefined;
  const plugin = NAMES_FROM_PLUGINS[name];
  // Beyond the table's end there may be more choices.
  const known = isBeyondTable(version) ? withoutChoices(facts) : facts;
  const own = stock && !(plugin !== undefined && flags.has(plugin));
  if (stock && facts.deprecated?.includes(text) && !flags.has('allow-deprecated-quantization')) {
    return {
      reason: `vLLM ${formatVersion(version)} has deprecated ${text} and starts with it only on demand`,
      remedy: 'use another one, or add --allow-deprecated-quantization to engine.extraArgs',
    };
  }
  return problemOfValue(name, known, text, {
    stock: own,
    version: formatVersion(version),
    goneSince: nameGoneSince(name, text, version),
  });
}

function withoutChoices({ choices, names, ...facts }: FlagFacts): FlagFacts {
  return facts;
}

/** Reads arguments one after the other, as argparse does. */
class ArgumentWalk {
  readonly issues: SpecIssue[] = [];
  readonly #args: readonly string[];
  readonly #engine: ArgumentsFor;
  readonly #flags: ReadonlySet<string>;
  readonly #field: (at: number) => string;
  /** The flag that the next values belong to, if it takes any more. */
  #open: { name?: string; many: boolean } | undefined;
  /** The flag that still lacks its first value. */
  #needed: { at: number; name: string } | undefined;

  constructor(args: readonly string[], engine: ArgumentsFor, field: (at: number) => string) {
    this.#args = args;
    this.#engine = engine;
    this.#flags = flagsIn(args, engine.version);
    this.#field = field;
  }

  /** `owner` tells what is wrong with a flag apart from vLLM. */
  walk(owner: (flag: Flag) => ValueProblem | undefined): SpecIssue[] {
    this.#args.forEach((argument, at) => {
      const match = matchFlag(argument, this.#engine.version);
      if (match.kind === 'value') this.#takeValue(argument, at);
      else {
        this.#reportMissing();
        this.#open = undefined;
        this.#takeFlag(match, at, owner);
      }
    });
    this.#reportMissing();
    return this.issues;
  }

  #report(at: number, problem: ValueProblem | undefined): void {
    if (problem) this.issues.push({ field: this.#field(at), value: this.#args[at], ...problem });
  }

  #reportMissing(): void {
    if (this.#needed === undefined) return;
    const { at, name } = this.#needed;
    this.#report(at, { reason: `--${name} needs a value`, remedy: 'add it as --flag=value' });
    this.#needed = undefined;
  }

  #takeValue(argument: string, at: number): void {
    this.#needed = undefined;
    if (this.#open === undefined) {
      const reason =
        'it is not a flag and follows none that takes a value; the model is the only positional argument';
      this.#report(at, { reason, remedy: 'remove it or write --flag=value' });
      return;
    }
    const { name, many } = this.#open;
    if (name !== undefined) this.#report(at, this.#problemOf(name, argument));
    if (!many) this.#open = undefined;
  }

  #takeFlag(
    match: Exclude<FlagMatch, { kind: 'value' }>,
    at: number,
    owner: (flag: Flag) => ValueProblem | undefined,
  ): void {
    if (match.kind !== 'flag') {
      this.#report(at, this.#problemOfName(match, at));
      this.#open = { many: true };
      return;
    }
    const { flag, inline, dotted } = match;
    const facts: FlagFacts = flagFacts(flag.name, this.#engine.version) ?? { kind: flag.kind };
    const problem = owner(flag) ?? problemOfAbsence(flag, this.#engine.version);
    this.#report(at, problem ?? this.#problemOfForm(match, facts.kind === 'switch'));
    if (facts.kind === 'switch' || inline !== undefined) return;
    // The value of a flag that should not be there is nobody's concern, nor is that of one key of JSON.
    const isChecked = problem === undefined && !dotted;
    this.#open = { ...(isChecked && { name: flag.name }), many: facts.kind === 'list' };
    if (facts.valueOptional !== true) this.#needed = { at, name: flag.name };
  }

  /** What is wrong with the argument itself: a value that a switch has, or its own. */
  #problemOfForm(
    { flag, inline, dotted }: Extract<FlagMatch, { kind: 'flag' }>,
    isSwitch: boolean,
  ): ValueProblem | undefined {
    if (isSwitch) {
      if (inline === undefined && !dotted) return undefined;
      return { reason: `--${flag.name} takes no value`, remedy: `write --${flag.name} or --no-${flag.name}` };
    }
    // vLLM makes an object of single keys.
    if (dotted) return this.#problemOf(flag.name, '{"key":"value"}');
    return inline === undefined ? undefined : this.#problemOf(flag.name, inline);
  }

  #problemOf(name: string, text: string): ValueProblem | undefined {
    return problemOfFlagValue(name, text, this.#engine, this.#flags);
  }

  #problemOfName(
    match: Extract<FlagMatch, { kind: 'ambiguous' | 'unknown' }>,
    at: number,
  ): ValueProblem | undefined {
    if (match.kind === 'ambiguous') {
      const reason = `vLLM cannot tell which of ${match.candidates.slice(0, 4).join(', ')} is meant`;
      return { reason, remedy: 'write the flag in full' };
    }
    const { version } = this.#engine;
    if (isBeyondTable(version)) return undefined;
    const written =
      (this.#args[at] ?? '')
        .split(/[=.]/)[0]
        ?.replace(/^--?(no-)?/, '')
        .replaceAll('_', '-') ?? '';
    const names = FLAGS.map(({ name }) => name).filter((name) => hasFlag(name, version));
    const nearest = nearestName(written, names);
    return {
      reason: `vLLM ${formatVersion(version)} has no such flag and would exit`,
      remedy:
        nearest === undefined
          ? 'correct its name or remove it'
          : `write --${nearest} if that is meant, or remove it`,
    };
  }
}

/**
 * Problems of `extraArgs` for an engine; `field` names an argument. What is no flag of the engine's version is refused, and
 * passed on to versions that the table does not reach, where nobody knows yet.
 */
export function checkExtraArgs(
  extraArgs: readonly string[],
  engine: ArgumentsFor,
  field: (at: number) => string,
): SpecIssue[] {
  return new ArgumentWalk(extraArgs, engine, field).walk(problemOfOwner);
}

/** Of those, what vLLM itself would refuse. */
export function checkArguments(
  args: readonly string[],
  engine: ArgumentsFor,
  field: (at: number) => string,
): SpecIssue[] {
  return new ArgumentWalk(args, engine, field).walk(() => undefined);
}
