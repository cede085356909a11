#!/usr/bin/env node
/** The command line: run · render · validate · plan · bench · tune · import · key · usage · advise. */
import { readFileSync } from 'node:fs';
import { Command, Option } from 'commander';
import { adviseCommand } from './cli/advise-command.ts';
import { collect, label, port } from './cli/arguments.ts';
import { benchCommand } from './cli/bench-command.ts';
import { endWithParent } from './cli/end-with-parent.ts';
import { addImageOptions, type ImageOptions, imageDefaults } from './cli/image-options.ts';
import { type ImportOptions, importFiles } from './cli/import/import-files.ts';
import { keyCommand } from './cli/key.ts';
import { planCommand } from './cli/plan-command.ts';
import { renderFiles } from './cli/render.ts';
import { type RunOptions, run } from './cli/run.ts';
import { tuneCommand } from './cli/tune-command.ts';
import { usageCommand } from './cli/usage-command.ts';
import { validateFiles } from './cli/validate.ts';
import { LOG_LEVELS } from './kube/log.ts';

interface FileOptions {
  filename: string[];
}

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};
const controller = new AbortController();
// `on`, because with npx Ctrl-C arrives twice, from the terminal and from npm, and a second one must not cut an orderly end short.
for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => controller.abort());
endWithParent(process.env, () => controller.abort());
// `vllm-operator render … | head` ends the reader early, which is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));
// `vllm-operator tune … 2>&1 | head` does so too, and the command has something to remove before it ends.
process.stderr.on('error', () => controller.abort());
const write = (text: string) => void process.stdout.write(text);
const fail = (text: string) => void process.stderr.write(text);

const program = new Command('vllm-operator')
  .description('Serves language models with vLLM on Kubernetes.')
  .version(version)
  .showHelpAfterError();

const runCommand = program
  .command('run')
  .description('run the operator against a cluster')
  .option(
    '--kubeconfig <path>',
    "kubeconfig to use; default: $KUBECONFIG, the pod's service account, or ~/.kube/config",
  )
  .option('--context <name>', 'context of the kubeconfig')
  .option(
    '--namespace <name>',
    'namespace of the operator, for its Lease and root key',
    label,
    process.env.POD_NAMESPACE ?? 'vllm-operator-system',
  )
  .option('--probe-port <port>', 'port of /livez, /readyz and /metrics; 0 selects a free one', port, 8080)
  .option('--probe-host <address>', 'address of /livez, /readyz and /metrics')
  .addOption(
    new Option(
      '--metrics-api-address <address>',
      'address at which the API server reaches this process, to serve external.metrics.k8s.io for HPAs',
    ).default(process.env.POD_IP, '$POD_IP'),
  )
  .option('--metrics-api-port <port>', 'port of the external metrics API; 0 selects a free one', port, 6443)
  .option('--no-leader-election', 'do not compete for the Lease; only one operator may run then')
  .addOption(
    new Option('--log-level <level>', 'least severe messages to log').choices(LOG_LEVELS).default('info'),
  )
  .action(async (options: RunOptions & { leaderElection: boolean }) => {
    process.exitCode = await run(options, controller.signal);
  });
addImageOptions(runCommand);

addImageOptions(
  filesCommand(
    'render',
    'print the manifests of models and their pools, without a cluster',
    (files, io, options: ImageOptions) => renderFiles(files, io, { images: imageDefaults(options) }),
  ),
);
filesCommand(
  'validate',
  'check manifests against the schema and rules, without a cluster',
  (files, io, { pool }: { pool?: string[] }) => validateFiles(files, io, pool),
).option(
  '--pool <path>',
  'file with a pool of another team, or - for standard input; may be repeated',
  collect,
);
program.addCommand(
  planCommand({ write, fail }, (code) => {
    process.exitCode = code;
  }),
);
for (const command of [benchCommand, tuneCommand])
  program.addCommand(
    command(
      { write, fail, signal: controller.signal, isTerminal: process.stderr.isTTY, env: process.env },
      (code) => {
        process.exitCode = code;
      },
    ),
  );
filesCommand(
  'import',
  'print InferenceModels for Deployments, docker-compose services, and models of KubeAI, KServe and the production stack',
  (files, io, options: ImportOptions) => importFiles(files, options, io),
)
  .option('--pool <name>', 'name of the InferencePool of the models', 'default')
  .option(
    '--pool-namespace <name>',
    'namespace of that pool, if it is another one than that of the models',
    label,
  );
program.addCommand(keyCommand());
program.addCommand(
  usageCommand(
    { write, fail },
    (code) => {
      process.exitCode = code;
    },
    controller.signal,
  ),
);
program.addCommand(
  adviseCommand(
    { write, fail },
    (code) => {
      process.exitCode = code;
    },
    controller.signal,
  ),
);

await program.parseAsync();

/** A command that takes `-f` once or more, as kubectl does; `-` is standard input. */
function filesCommand<Options extends object>(
  name: string,
  description: string,
  action: (
    files: string[],
    io: { write: (text: string) => void; fail: (text: string) => void },
    options: Options,
  ) => number,
): Command {
  return program
    .command(name)
    .description(description)
    .requiredOption(
      '-f, --filename <path>',
      'file, or - for standard input; may be repeated',
      // No default: with one, the option would not be required.
      collect,
    )
    .action((options: Options & FileOptions) => {
      process.exitCode = action(options.filename, { write, fail }, options);
    });
}
