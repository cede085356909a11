/** The flags of `vllm serve` of the simulated version, as its own parser has them (operator/vllm/flag-table.json). */
import { FLAG_TABLE, type FlagFacts, flagFacts, type ValueType } from '../../../operator/vllm/flag-facts.ts';
import { parseVersion } from '../../../operator/vllm/versions.ts';
import { DEFAULT_VERSION } from '../engine-version.ts';
import type { Flag, FlagKind } from './flag.ts';

const KINDS: Readonly<Record<ValueType, FlagKind>> = {
  text: 'str',
  int: 'int',
  float: 'float',
  size: 'human',
  sizeOrAuto: 'length',
  json: 'json',
  object: 'json',
  jsonOrText: 'json',
};

function flagOf(name: string, facts: FlagFacts): Flag {
  const short = facts.aliases?.find((alias) => /^-[a-z]/.test(alias))?.slice(1);
  const onOff = facts.positiveOnly ? 'switch' : 'bool';
  return {
    name,
    kind: facts.kind === 'switch' ? onOff : KINDS[facts.type ?? 'text'],
    ...(short !== undefined && { short }),
    ...(facts.choices !== undefined && { choices: facts.choices }),
    ...(facts.kind === 'list' && { list: true }),
  };
}

const version = parseVersion(process.env.VLLM_SIM_VERSION ?? DEFAULT_VERSION);

function factsOf(name: string): FlagFacts | undefined {
  return version && flagFacts(name, version);
}

/** Every flag by its long name. */
export const FLAGS: ReadonlyMap<string, Flag> = new Map(
  Object.keys(FLAG_TABLE.flags).flatMap((name) => {
    const facts = factsOf(name);
    return facts === undefined ? [] : [[name, flagOf(name, facts)]];
  }),
);

/** Names that vLLM looks up after parsing, because plug-ins may add to them. */
export function namesOf(flag: string): readonly string[] {
  return factsOf(flag)?.names ?? [];
}

/** Methods of quantization that need `--allow-deprecated-quantization`. */
export const DEPRECATED_QUANTIZATIONS: readonly string[] = factsOf('quantization')?.deprecated ?? [];
