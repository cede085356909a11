/** argparse's matching rules over vLLM's flags. */
import { type FlagValue, ServeArguments } from './arguments.ts';
import { type Flag, spelling } from './flag.ts';
import { FLAGS } from './flags.ts';
import { normalise } from './normalise.ts';
import { parseValue } from './parse-value.ts';
import { UsageError } from './usage-error.ts';

interface Match {
  flag: Flag;
  negated: boolean;
  inline: string | undefined;
}

const TASK_HINT =
  '\n\nHint: --task is not a vllm serve option. For embedding, reranking, or reward models, use --runner pooling. ' +
  'To adapt a generative model for pooling, also use --convert embed, --convert classify, or --convert reward.';

/**
 * Parses the arguments after `vllm serve`. Throws UsageError (exit code 2) for what argparse refuses: unknown and
 * removed flags, ambiguous abbreviations, missing values, wrong types and choices.
 */
export function parseArguments(rawArgv: readonly string[]): ServeArguments {
  const argv = normalise(rawArgv);
  if (rawArgv[0]?.startsWith('-') && argv[0]?.startsWith('-') && argv.some(isServedModelName)) {
    throw new Error(
      'ValueError: `model` should be provided as the first positional argument when using `vllm serve`. ' +
        'i.e. `vllm serve <model> --<arg> <value>`.',
    );
  }
  const values = new Map<string, FlagValue>();
  const unknown: string[] = [];
  let model: string | undefined;
  for (let i = 0; i < argv.length; i += 1) {
    const arg = argv[i] ?? '';
    if (!looksLikeFlag(arg)) {
      if (model === undefined) {
        model = arg;
      } else {
        unknown.push(arg);
      }
      continue;
    }
    const match = findFlag(arg);
    if (match === undefined) {
      unknown.push(arg);
      continue;
    }
    const taken = take(match, argv, i + 1);
    values.set(match.flag.name, taken.value);
    i += taken.used;
  }
  if (unknown.length > 0) {
    const hint = rawArgv.some((arg) => /^--task(=|$)/.test(arg)) ? TASK_HINT : '';
    throw new UsageError('vllm', `unrecognized arguments: ${unknown.join(' ')}${hint}`);
  }
  return new ServeArguments(model, values);
}

function isServedModelName(arg: string): boolean {
  return /^--served-model-name(=|$)/.test(arg);
}

function looksLikeFlag(arg: string): boolean {
  // As argparse: negative numbers are values, and so is what has a space before any equals sign.
  return /^-[^\s=]+(=|$)/.test(arg) && !/^-\d+$|^-\d*\.\d+$/.test(arg);
}

function take(match: Match, argv: readonly string[], from: number): { value: FlagValue; used: number } {
  const { flag, negated, inline } = match;
  if (flag.kind === 'bool' || flag.kind === 'switch') {
    if (inline !== undefined) {
      throw new UsageError('vllm serve', `argument ${spelling(flag)}: ignored explicit argument '${inline}'`);
    }
    return { value: !negated, used: 0 };
  }
  if (inline !== undefined) {
    const value = parseValue(flag, inline);
    return { value: flag.list === true ? [value as string | number] : value, used: 0 };
  }
  const texts: string[] = [];
  for (let i = from; i < argv.length && !looksLikeFlag(argv[i] ?? ''); i += 1) {
    texts.push(argv[i] ?? '');
    if (flag.list !== true) {
      break;
    }
  }
  const [first] = texts;
  if (first === undefined) {
    const wanted = flag.list === true ? 'at least one argument' : 'one argument';
    throw new UsageError('vllm serve', `argument ${spelling(flag)}: expected ${wanted}`);
  }
  if (flag.list === true) {
    return { value: texts.map((text) => parseValue(flag, text) as string | number), used: texts.length };
  }
  return { value: parseValue(flag, first), used: 1 };
}

function findFlag(arg: string): Match | undefined {
  const equals = arg.indexOf('=');
  const key = equals < 0 ? arg : arg.slice(0, equals);
  const inline = equals < 0 ? undefined : arg.slice(equals + 1);
  return key.startsWith('--') ? findLong(key, inline) : findShort(key, inline);
}

function findLong(key: string, inline: string | undefined): Match | undefined {
  const name = key.slice(2);
  const exact = FLAGS.get(name);
  if (exact !== undefined) {
    return { flag: exact, negated: false, inline };
  }
  const found: Match[] = [];
  for (const flag of FLAGS.values()) {
    if (flag.name.startsWith(name)) {
      found.push({ flag, negated: false, inline });
    }
    if (flag.kind === 'bool' && `no-${flag.name}` === name) {
      return { flag, negated: true, inline };
    }
    if (flag.kind === 'bool' && `no-${flag.name}`.startsWith(name)) {
      found.push({ flag, negated: true, inline });
    }
  }
  if (found.length > 1) {
    const names = found.map(({ flag, negated }) => `--${negated ? 'no-' : ''}${flag.name}`);
    throw new UsageError('vllm serve', `ambiguous option: ${key} could match ${names.join(', ')}`);
  }
  return found[0];
}

function findShort(key: string, inline: string | undefined): Match | undefined {
  const name = key.slice(1);
  let attached: Match | undefined;
  for (const flag of FLAGS.values()) {
    if (flag.short === name) {
      return { flag, negated: false, inline };
    }
    if (flag.short?.length === 1 && name.startsWith(flag.short)) {
      attached = { flag, negated: false, inline: name.slice(1) };
    }
  }
  return attached;
}
