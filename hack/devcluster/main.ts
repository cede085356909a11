// `npm run devcluster`: a small Kubernetes on this machine, until Ctrl-C.
import { Command } from 'commander';
import { kubectl, kubectlPath } from '../kubectl/kubectl.ts';
import { type Cluster, type ClusterOptions, startCluster } from './cluster.ts';
import { consoleLogger } from './console-logger.ts';

interface Flags {
  port?: string;
  timeScale?: string;
  vllm?: string;
  installCrds?: boolean;
  verbose?: boolean;
}

const stop = new AbortController();
// `on`, because Ctrl-C may reach us twice: from the terminal and from the script that started us.
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => stop.abort());

const program = new Command('devcluster')
  .description('Starts a small Kubernetes whose pods are processes of this machine, and waits for Ctrl-C.')
  .option('--port <port>', 'port of the API server (default: the system chooses)')
  .option(
    '--time-scale <factor>',
    'factor on probe periods, preStop sleeps and back-off; 0.1 is ten times as fast',
  )
  .option('--vllm <program>', 'a real vllm for the engines, instead of the simulator')
  .option('--install-crds', 'install the custom resource definitions of crds/')
  .option('--verbose', 'say more about what goes on inside')
  .action(run);
await program.parseAsync();

async function run(flags: Flags): Promise<void> {
  const options: ClusterOptions = {
    log: consoleLogger(flags.verbose ?? false),
    ...(flags.port === undefined ? {} : { port: numberOf('--port', flags.port) }),
    ...(flags.timeScale === undefined ? {} : { timeScale: numberOf('--time-scale', flags.timeScale) }),
    ...(flags.vllm === undefined ? {} : { vllm: flags.vllm }),
  };
  const cluster = await startCluster(options);
  try {
    if (flags.installCrds) await installDefinitions(cluster);
    console.log(usage(cluster));
    // An open server keeps the process alive. This only waits for a signal.
    if (!stop.signal.aborted)
      await new Promise<void>((resolve) => stop.signal.addEventListener('abort', () => resolve()));
  } finally {
    console.log('Stopping …');
    await cluster.close();
  }
}

async function installDefinitions(cluster: Cluster): Promise<void> {
  const options = { kubeconfig: cluster.kubeconfigPath, signal: stop.signal };
  const directory = new URL('../../crds', import.meta.url).pathname;
  console.log((await kubectl(['apply', '--server-side', '-f', directory], options)).trim());
}

function usage(cluster: Cluster): string {
  return [
    `The cluster is up at ${cluster.url}. In another terminal:`,
    '',
    `  export KUBECONFIG=${cluster.kubeconfigPath}`,
    `  alias kubectl=${kubectlPath()}`,
    '  kubectl get nodes',
    '',
    'Ctrl-C ends it and everything that runs in it.',
  ].join('\n');
}

function numberOf(flag: string, text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value < 0)
    throw new Error(`${flag}: "${text}" is not a number; give one, such as 1`);
  return value;
}
