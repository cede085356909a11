/** The arguments of `vllm serve` in the command of a container, whichever way it is started. */
import { type ParseEntry, parse } from 'shell-quote';
import { type Draft, note } from './draft.ts';

const SHELL = /(^|\/)(ba|da|a|z)?sh$/;
const API_SERVER = /^vllm\.entrypoints\.(openai\.)?api_server$|entrypoints\/openai\/api_server\.py$/;
/** Longest script of a shell that is read, in characters. */
const MAX_SCRIPT = 65_536;

/** Environment variables with a literal value, by name. */
export type LiteralEnv = ReadonlyMap<string, string>;

/**
 * The arguments of vLLM in a command, and the command itself if it starts something else. Without a command, arguments go to
 * the entry point of the image, which is `vllm serve`. Notes what else a script runs.
 */
export function serveArguments(
  command: readonly string[],
  args: readonly string[],
  env: LiteralEnv,
  draft: Draft,
): { args: string[]; command?: string[] } {
  const words = [...command, ...args].map((word) => withReferences(word, env));
  const [first = ''] = words;
  if (SHELL.test(first)) return fromScript(words, env, draft);
  const found = afterServe(words);
  if (found) return { args: found };
  if (command.length === 0) return { args: words };
  note(draft, 'command', command[0], 'it does not start vLLM by itself', 'check spec.engine.command');
  return { command: [...command], args: args.map((word) => withReferences(word, env)) };
}

/** The words behind `vllm serve` or the module of the API server; undefined if there is neither. */
function afterServe(words: readonly string[]): string[] | undefined {
  const at = words.findIndex(
    (word, i) => API_SERVER.test(word) || (word === 'serve' && /(^|\/)vllm$/.test(words[i - 1] ?? '')),
  );
  return at < 0 ? undefined : words.slice(at + 1);
}

/** `$(NAME)` as Kubernetes expands it: only known names, and `$$` is a dollar. */
function withReferences(word: string, env: LiteralEnv): string {
  return word.replace(/\$\$|\$\(([A-Za-z_][\w.-]{0,252})\)/g, (all, name?: string) =>
    name === undefined ? '$' : (env.get(name) ?? all),
  );
}

function fromScript(words: readonly string[], env: LiteralEnv, draft: Draft): { args: string[] } {
  const at = words.findIndex((word) => /^-[a-z]*c$/.test(word));
  const script = words[at + 1] ?? '';
  if (at < 0 || script.length > MAX_SCRIPT) {
    note(
      draft,
      'command',
      undefined,
      'the script cannot be read',
      'write its arguments into the model by hand',
    );
    return { args: [] };
  }
  const commands = commandsOf(script, env);
  const found = commands.map((entries) => ({ entries, args: afterServe(entries.map(textOfEntry)) }));
  const serve = found.find(({ args }) => args !== undefined);
  for (const { entries } of found.filter((other) => other !== serve)) {
    const text = nameOf(entries);
    if (text !== '')
      note(
        draft,
        'command',
        text,
        'the script runs more than vLLM',
        'use an init container in spec.template',
      );
  }
  if (serve === undefined)
    note(draft, 'command', undefined, 'no `vllm serve` is in it', 'write spec.engine by hand');
  return { args: serve?.args?.filter((word) => word !== '') ?? [] };
}

/** The commands of a script, each as its words; none of one that a shell would refuse. */
function commandsOf(script: string, env: LiteralEnv): ParseEntry[][] {
  const lines = script.replaceAll(/\\\r?\n/g, ' ').replaceAll(/\r?\n/g, ' ; ');
  const commands: ParseEntry[][] = [[]];
  for (const entry of entriesOf(lines, env)) {
    if (typeof entry === 'object' && 'op' in entry && SEPARATORS.includes(entry.op)) commands.push([]);
    else commands.at(-1)?.push(entry);
  }
  return commands;
}

/** What a command of a script is, without values that may be secrets. */
function nameOf(entries: readonly ParseEntry[]): string {
  const [first = '', second = ''] = entries.map((entry) => textOfEntry(entry).split('=')[0]);
  return first === 'export' ? `${first} ${second}` : first;
}

const SEPARATORS: readonly string[] = ['&&', ';', '||', '&', '|'];

function entriesOf(script: string, env: LiteralEnv): ParseEntry[] {
  try {
    return parse(script, (name) => env.get(name) ?? `$${name}`);
  } catch {
    // The caller says that nothing is found.
    return [];
  }
}

function textOfEntry(entry: ParseEntry): string {
  if (typeof entry === 'string') return entry;
  if ('pattern' in entry) return entry.pattern;
  return 'op' in entry ? entry.op : '';
}

/** The words of a command that is one text, as in docker-compose. */
export function wordsOf(text: string, env: LiteralEnv): string[] {
  return commandsOf(text.slice(0, MAX_SCRIPT), env).flatMap((entries) => entries.map(textOfEntry));
}
