/** `vllm-operator key create`: creates an API key, shows it once, and prints the ConfigMap with its hash. */
import { Command, InvalidArgumentError } from 'commander';
import { stringify } from 'yaml';
import { MAX_LIMIT } from '../router/api-key-entry.ts';
import { API_KEYS_LABEL, type ApiKeyConfigMap, createKey, parseApiKeys } from '../router/api-keys.ts';
import { label } from './arguments.ts';

/** Output streams of the command. */
export interface KeyCommandOutput {
  out: (text: string) => void;
  err: (text: string) => void;
}

interface KeyOptions {
  namespace: string;
  name: string;
  tenant?: string;
  models?: string[];
  requestsPerMinute?: number;
  tokensPerMinute?: number;
}

const processOutput: KeyCommandOutput = {
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
};

/**
 * The `key` command. Writes the manifest to `out` and the key to `err`, so that `| kubectl apply -f -` works and does not
 * store the key.
 */
export function keyCommand(output: KeyCommandOutput = processOutput, create = createKey): Command {
  const key = new Command('key').description('API keys of the routers');
  key
    .command('create')
    .description('create an API key: prints the key once to stderr, and the ConfigMap to apply to stdout')
    .requiredOption('-n, --namespace <namespace>', 'namespace of the team that owns the key', label)
    .requiredOption('--name <name>', 'name of the key, such as ci', label)
    .option('--tenant <tenant>', 'tenant of the key: <namespace> (default) or <namespace>/<name>')
    .option(
      '--models <names>',
      'comma-separated names of the models that the key may use; default: all',
      list,
    )
    .option('--requests-per-minute <n>', 'limit of requests per minute', limit)
    .option('--tokens-per-minute <n>', 'limit of prompt and completion tokens per minute', limit)
    .action((options: KeyOptions, command: Command) => {
      const { key: secret, sha256 } = create();
      const configMap = apiKeyConfigMap(options, sha256);
      const [issue] = parseApiKeys([configMap]).issues;
      if (issue) command.error(`error: ${issue.field}: ${issue.reason}; ${issue.remedy}`);
      output.err(`${secret}\n`);
      output.err(
        '# This is the key; it is shown only now. Clients send it as "Authorization: Bearer <key>".\n',
      );
      output.out(stringify(configMap));
    });
  return key;
}

function apiKeyConfigMap(options: KeyOptions, sha256: string): ApiKeyConfigMap {
  const { namespace, name, ...rules } = options;
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: `vllm-api-key-${name}`, namespace, labels: { [API_KEYS_LABEL]: 'true' } },
    data: { [name]: stringify({ sha256, ...rules }) },
  };
}

function list(value: string): string[] {
  const names = value.split(',').map((name) => name.trim());
  if (names.includes('')) {
    throw new InvalidArgumentError('Use comma-separated names, such as llama,mistral.');
  }
  return names;
}

function limit(value: string): number {
  const number = Number(value);
  if (!Number.isInteger(number) || number < 1 || number > MAX_LIMIT) {
    throw new InvalidArgumentError(`Use an integer from 1 to ${MAX_LIMIT}.`);
  }
  return number;
}
