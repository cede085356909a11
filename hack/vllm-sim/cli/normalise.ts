/** What vLLM's FlexibleArgumentParser does to argv before argparse sees it. */
import { humanInt } from './human-int.ts';
import { UsageError } from './usage-error.ts';

/**
 * Moves `--model X` to the front, turns underscores of flag names into dashes, expands `-O2`, and folds dotted
 * JSON parts (`--kv-transfer-config.kv_role kv_both`, `--x.list+ a,b`) into one JSON argument each.
 */
export function normalise(argv: readonly string[]): string[] {
  return foldDotted(dashes(modelFirst(argv)));
}

function modelFirst(argv: readonly string[]): readonly string[] {
  const at = argv.findIndex((arg) => arg === '--model' || arg.startsWith('--model='));
  if (at < 0) {
    return argv;
  }
  const inline = argv[at]?.startsWith('--model=') === true;
  const model = inline ? argv[at]?.slice('--model='.length) : argv[at + 1];
  if (model === undefined || model.startsWith('-')) {
    throw new UsageError('vllm serve', 'argument --model: expected one argument');
  }
  return [model, ...argv.slice(0, at), ...argv.slice(at + (inline ? 1 : 2))];
}

function dashes(argv: readonly string[]): string[] {
  const out: string[] = [];
  for (const [i, arg] of argv.entries()) {
    if (arg.startsWith('--')) {
      const equals = arg.indexOf('=');
      const key = equals < 0 ? arg : arg.slice(0, equals);
      const [name = '', ...path] = key.split('.');
      const plain = [name.replaceAll('_', '-'), ...path].join('.');
      out.push(equals < 0 ? plain : plain + arg.slice(equals));
    } else if (arg === '-O') {
      out.push(/^[0-3]$/.test(argv[i + 1] ?? '') ? '--optimization-level' : arg);
    } else if (arg.startsWith('-O')) {
      out.push('--optimization-level', arg[2] === '=' ? arg.slice(3) : arg.slice(2));
    } else {
      out.push(arg);
    }
  }
  return out;
}

function foldDotted(argv: readonly string[]): string[] {
  const out: string[] = [];
  const documents = new Map<string, Record<string, unknown>>();
  for (let i = 0; i < argv.length; i += 1) {
    const arg = argv[i] ?? '';
    const equals = arg.indexOf('=');
    const key = equals < 0 ? arg : arg.slice(0, equals);
    if (!arg.startsWith('-') || !/^--?[a-z]/.test(key) || !key.includes('.')) {
      out.push(arg);
      continue;
    }
    let text = arg.slice(equals + 1);
    if (equals < 0) {
      i += 1;
      text = argv[i] ?? '';
    }
    const append = key.endsWith('+');
    const [name = '', ...path] = (append ? key.slice(0, -1) : key).split('.');
    const document = documents.get(name) ?? {};
    documents.set(name, document);
    assign(document, path, append ? text.split(',') : scalar(text));
  }
  for (const [name, document] of documents) {
    out.push(name, JSON.stringify(document));
  }
  return out;
}

function scalar(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // A bare word or a suffixed number, as vLLM allows in dotted arguments.
    return humanInt(text) ?? text;
  }
}

function assign(document: Record<string, unknown>, path: readonly string[], value: unknown): void {
  let at = document;
  for (const key of path.slice(0, -1)) {
    const next = at[key];
    const child = next !== null && typeof next === 'object' ? (next as Record<string, unknown>) : {};
    at[key] = child;
    at = child;
  }
  const last = path.at(-1) ?? '';
  const before = at[last];
  at[last] = Array.isArray(before) && Array.isArray(value) ? [...before, ...value] : value;
}
