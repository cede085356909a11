import { readFileSync } from 'node:fs';
import { UsageError } from './usage-error.ts';

/**
 * Puts the arguments of a `--config file.yaml` between the model and the rest, so that the command line wins
 * (vllm/utils/argparse_utils.py). Throws when the file is missing, malformed or not YAML by name.
 */
export async function pullConfigFile(argv: readonly string[]): Promise<string[]> {
  const at = argv.indexOf('--config');
  if (at < 0) {
    return [...argv];
  }
  const path = argv[at + 1];
  if (path === undefined) {
    throw new Error('ValueError: No config file specified! Please check your command-line arguments.');
  }
  if (!/\.ya?ml$/.test(path)) {
    throw new Error(`ValueError: Config file must be of a yaml/yml type. ${path.split('.').at(-1)} supplied`);
  }
  const { parse } = await import('yaml');
  const document: unknown = parse(readFileSync(path, 'utf8'));
  if (document === null || typeof document !== 'object' || Array.isArray(document)) {
    throw new UsageError('vllm serve', `config file ${path} is not a mapping`);
  }
  const fromFile = Object.entries(document).flatMap(([key, value]) => toArguments(key, value));
  const rest = [...argv.slice(0, at), ...argv.slice(at + 2)];
  const model = rest[0]?.startsWith('-') === false ? rest.slice(0, 1) : [];
  return [...model, ...fromFile, ...rest.slice(model.length)];
}

function toArguments(key: string, value: unknown): string[] {
  if (typeof value === 'boolean') {
    return [value ? `--${key}` : `--no-${key}`];
  }
  if (Array.isArray(value)) {
    return value.length === 0 ? [] : [`--${key}`, ...value.map(String)];
  }
  return [`--${key}`, value !== null && typeof value === 'object' ? JSON.stringify(value) : String(value)];
}
