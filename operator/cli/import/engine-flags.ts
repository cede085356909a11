/** Arguments of `vllm serve` as settings of a model, by the table of flags and the table of settings. */
import { isDeepStrictEqual } from 'node:util';
import { problemOfAbsence } from '../../vllm/extra-args.ts';
import type { Flag } from '../../vllm/flag.ts';
import { flagFacts } from '../../vllm/flag-facts.ts';
import { matchFlag } from '../../vllm/flags.ts';
import { flatten, isGroup, type Setting } from '../../vllm/setting.ts';
import { SETTINGS } from '../../vllm/settings.ts';
import { type EngineVersion, formatVersion } from '../../vllm/versions.ts';
import { type Draft, fieldAt, fieldsOf, isSecret, note, ownOf, setField } from './draft.ts';

/** The setting whose value is that of its first flag. */
const BY_FLAG: ReadonlyMap<string, { path: string; setting: Setting }> = new Map(
  flatten(SETTINGS).flatMap(([path, entry]) =>
    isGroup(entry) ? [] : [[entry.flags[0] ?? '', { path, setting: entry }] as const],
  ),
);

/** One flag of a command line, with its values. */
interface Given {
  flag: Flag;
  /** As written, for `extraArgs`. */
  words: string[];
  values: string[];
  negated: boolean;
  dotted: boolean;
}

/** More arguments than any engine needs. */
const MAX_ARGUMENTS = 512;

/**
 * Sets what the arguments say in the draft: typed settings where there are some, `extraArgs` for the rest. Returns the model
 * that they name. Notes flags that the version lacks and those that the operator sets.
 */
export function readEngineFlags(
  draft: Draft,
  all: readonly string[],
  version: EngineVersion,
): string | undefined {
  let model: string | undefined;
  const args = all.slice(0, MAX_ARGUMENTS);
  if (args.length < all.length) {
    const reason = `only the first ${MAX_ARGUMENTS} arguments are read`;
    note(draft, 'args', undefined, reason, 'add the others to spec.engine.extraArgs');
  }
  for (let at = 0; at < args.length; ) {
    const word = args[at] ?? '';
    const match = matchFlag(word, version);
    if (match.kind === 'value') {
      if (model === undefined) model = word;
      else note(draft, 'args', word, 'it belongs to no flag', 'remove it, or put it behind its flag');
      at += 1;
      continue;
    }
    const isKnown = match.kind === 'flag';
    const kind = isKnown ? flagFacts(match.flag.name, version)?.kind : undefined;
    const count = isKnown && match.inline !== undefined ? 0 : valuesBehind(args, at, kind);
    const words = args.slice(at, at + 1 + count);
    at += 1 + count;
    if (!isKnown) {
      const reason = `vLLM ${formatVersion(version)} ${match.kind === 'unknown' ? 'has no such flag' : 'has several such flags'}`;
      note(
        draft,
        'args',
        // What follows may be a secret behind a misspelt name.
        word.split('=')[0],
        reason,
        'use a flag that it has, or engine.version for another version',
      );
      continue;
    }
    const absent = problemOfAbsence(match.flag, version);
    if (absent) {
      note(draft, 'args', words.join(' '), absent.reason, absent.remedy);
      continue;
    }
    const values = match.inline === undefined ? words.slice(1) : [match.inline];
    const given = { flag: match.flag, words, values, negated: match.negated, dotted: match.dotted };
    if (given.flag.name === 'model') model = values[0];
    else readFlag(draft, given);
  }
  return model;
}

/** How many words behind a flag are its values. Negative numbers are values. */
function valuesBehind(args: readonly string[], at: number, kind: Flag['kind'] | undefined): number {
  if (kind === 'switch') return 0;
  const isFlag = (word: string | undefined) => word === undefined || /^-(?![0-9.])/.test(word);
  if (kind !== 'list') return isFlag(args[at + 1]) ? 0 : 1;
  let count = 0;
  while (!isFlag(args[at + 1 + count])) count += 1;
  return count;
}

function readFlag(draft: Draft, given: Given): void {
  const { flag, words, values } = given;
  const special = ownOf(SPECIAL, flag.name);
  const typed = BY_FLAG.get(flag.name);
  if (given.dotted && (special || typed)) {
    note(
      draft,
      'args',
      words.join(' '),
      'it sets a part of a typed setting',
      `set spec.${flag.field} instead`,
    );
  } else if (special) {
    special(draft, given);
  } else if (typed) {
    const value = readingOf(typed.setting, given);
    if (value === undefined)
      note(
        draft,
        'args',
        words.join(' '),
        'the setting takes no such value',
        `set spec.engine.${typed.path} by hand`,
      );
    else setField(draft, `engine.${typed.path}`, value);
  } else if (flag.reserved !== undefined) {
    const reason = `--${flag.name} belongs to the operator: ${flag.reserved}`;
    note(draft, 'args', isSecret(flag.name) ? undefined : words.join(' '), reason, 'nothing to do');
  } else {
    const all = (fieldAt(draft, 'engine.extraArgs') as string[] | undefined) ?? [];
    const isPair = values.length === 1 && words.length === 2;
    setField(draft, 'engine.extraArgs', [...all, ...(isPair ? [`${words[0]}=${words[1]}`] : words)]);
  }
}

const SIZES: Readonly<Record<string, number>> = {
  k: 1e3,
  m: 1e6,
  g: 1e9,
  K: 2 ** 10,
  M: 2 ** 20,
  G: 2 ** 30,
};

/** The value of a setting, of the readings that its schema takes: on or off, a number, a number such as 32k, a text. */
function readingOf(setting: Setting, { values, negated }: Given): unknown {
  const [text] = values;
  if (text === undefined) return setting.schema.safeParse(!negated).success ? !negated : undefined;
  const [, digits, unit = ''] = /^([0-9.]+)([kmgKMG])$/.exec(text) ?? [];
  const readings = [
    text,
    // Python also writes .9 for 0.9.
    ...(text.trim() === '' ? [] : [Number(text), String(Number(text))]),
    ...(digits === undefined ? [] : [Number(digits) * (SIZES[unit] ?? 1)]),
  ];
  return readings.find((reading) => setting.schema.safeParse(reading).success);
}

const SPECIAL: Readonly<Record<string, (draft: Draft, given: Given) => void>> = {
  'served-model-name': (draft, { values }) => setField(draft, 'model.servedNames', values),
  revision: (draft, { values: [value] }) => setField(draft, 'model.revision', value),
  'trust-remote-code': (draft, { negated }) => setField(draft, 'model.trustRemoteCode', !negated),
  'hf-token': (draft) =>
    note(
      draft,
      'args',
      '--hf-token',
      'a token does not belong into arguments',
      'put it into a Secret, and set spec.model.tokenSecretRef',
    ),
  'shutdown-timeout': (draft, { values: [seconds] }) => setField(draft, 'engine.drainTimeout', `${seconds}s`),
  'kv-offloading-size': (draft, { words }) =>
    note(
      draft,
      'args',
      words.join(' '),
      'it is the total of a replica',
      'set spec.engine.pagedAttention.swapSpaceGiB, for each accelerator',
    ),
  // The operator turns it on with a parser.
  'enable-auto-tool-choice': () => {},
  'enable-lora': (draft) => {
    if (fieldAt(draft, 'engine.lora') === undefined) fieldsOfEngine(draft).lora = {};
  },
  'lora-modules': (draft, { values }) => setField(draft, 'engine.lora.adapters', values.map(adapterOf)),
  'speculative-config': readSpeculation,
};

function fieldsOfEngine(draft: Draft): Record<string, unknown> {
  const engine = fieldsOf(draft.spec.engine);
  draft.spec.engine = engine;
  return engine;
}

/** `name=path`, or JSON with both. */
function adapterOf(value: string): { name: string; source: string } {
  const { name, path } = fieldsOf(parsed(value));
  const [before = '', ...behind] = value.split('=');
  return { name: String(name ?? before), source: String(path ?? behind.join('=')) };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function readSpeculation(draft: Draft, { values: [text = ''], words }: Given): void {
  const config = fieldsOf(parsed(text));
  const speculative = {
    method: config.method ?? (config.model === undefined ? undefined : 'draft_model'),
    model: config.model,
    numSpeculativeTokens: config.num_speculative_tokens,
    promptLookupMax: config.prompt_lookup_max,
    promptLookupMin: config.prompt_lookup_min,
  };
  const known = ['method', 'model', 'num_speculative_tokens', 'prompt_lookup_max', 'prompt_lookup_min'];
  const others = Object.keys(config).filter((key) => !known.includes(key));
  if (speculative.method === undefined || others.length > 0) {
    const what =
      others.length > 0 ? `it has ${others.join(', ')}, which the setting lacks` : 'it is not read';
    note(draft, 'args', words.join(' '), what, 'set spec.engine.speculative by hand');
  }
  if (speculative.method === undefined) return;
  const given = Object.fromEntries(Object.entries(speculative).filter(([, value]) => value !== undefined));
  if (!isDeepStrictEqual(given, {})) setField(draft, 'engine.speculative', given);
}
