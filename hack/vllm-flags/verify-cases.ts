/** Arguments to ask a parser about, with what the operator says of them. */
import { describeIssue } from '../../operator/values/spec-issue.ts';
import { checkArguments } from '../../operator/vllm/extra-args.ts';
import { type FlagFacts, flagFacts } from '../../operator/vllm/flag-facts.ts';
import { FLAGS } from '../../operator/vllm/flag-table.ts';
import { type EngineVersion, parseVersion } from '../../operator/vllm/versions.ts';

export interface VerifyCase {
  args: readonly string[];
  /** Why the operator refuses them; undefined when it takes them. */
  refusal: string | undefined;
}

/** Values of all types, right for some flags and wrong for others. */
const VALUES = [
  '17',
  '-1',
  '1.5',
  'word',
  '1k',
  '1.5k',
  '1.5K',
  'auto',
  '{}',
  '{no json}',
  '[]',
  'null',
  '',
  'None',
];

/** Flags that read a file or end the program, or whose value has a format that no setting can violate. */
const NOT_ASKED: ReadonlySet<string> = new Set(['config', 'lora-modules', 'model']);

/**
 * For one version: every flag of any version with a value that fits, with values of all types, with each of its choices and
 * names, with some in several spellings, and as a switch.
 */
export function casesOf(text: string): VerifyCase[] {
  const version = parseVersion(text);
  if (version === undefined) throw new RangeError(`not a version: ${text}`);
  return argumentsOf(version).map((args) => {
    const [issue] = checkArguments(args, { version, stock: true }, (at) => `[${at}]`);
    return { args, refusal: issue && describeIssue(issue) };
  });
}

function argumentsOf(version: EngineVersion): string[][] {
  return FLAGS.filter(({ name }) => !NOT_ASKED.has(name)).flatMap(({ name, kind, aliases = [] }) => {
    const facts = flagFacts(name, version) ?? { kind };
    const long = `--${name}`;
    if (facts.kind === 'switch') return [[long], [`--no-${name}`], [`${long}=true`], [long, 'true']];
    const fitting = fittingValue(facts);
    const names = [...(facts.choices ?? []), ...(facts.names ?? [])];
    return [
      [long],
      [long, fitting],
      [`--${name.replaceAll('-', '_')}=${fitting}`],
      // A configuration may refuse the key, which is not the operator's concern.
      ...(facts.type === 'object' ? [] : [[`${long}.key=1`]]),
      // -O is no option of the parser: vLLM replaces it where a level follows.
      ...aliases
        .filter((alias) => alias !== '-O')
        .map((alias) => [alias.startsWith('-') ? alias : `--${alias}`, fitting]),
      ...names.slice(0, 3).map((each) => [long, each.toUpperCase()]),
      ...[...VALUES, ...names, ...names.slice(0, 1).map((each) => `${each}x`)].map((value) => [
        `${long}=${value}`,
      ]),
    ];
  });
}

/** A value that the parser should take. */
function fittingValue({ type, choices, names }: FlagFacts): string {
  const [first] = choices ?? names ?? [];
  if (first !== undefined) return first;
  if (type === 'json' || type === 'object') return '{}';
  return type === 'text' || type === undefined ? 'word' : '17';
}
