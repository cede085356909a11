/** `vllm-operator advise`: right-sizing advice for the models of a cluster. */
import { Command, Option } from 'commander';
import { adviseCluster } from './advise-cluster.ts';
import { ADVICE_FORMATS, type AdviceFormat, adviceText } from './advise-text.ts';
import { label } from './arguments.ts';
import type { CommandOutput } from './problems.ts';
import { addClusterOptions, type ClusterOptions, withCluster } from './with-cluster.ts';

interface AdviseOptions extends ClusterOptions {
  namespace?: string;
  allNamespaces?: boolean;
  output: AdviceFormat;
}

const FORBIDDEN =
  'you need to list inferencemodels, inferencepools, namespaces and configmaps of the whole cluster. What your own models could change is in their status.advice';

/** The `advise` command. `exit` gets the code with which the process has to end. */
export function adviseCommand(io: CommandOutput, exit: (code: number) => void, signal: AbortSignal): Command {
  const command = new Command('advise')
    .description('print how models could use less: the change, the money it saves, and what was seen')
    .option('-n, --namespace <name>', 'namespace of the models; default: that of the context', label)
    .addOption(new Option('-A, --all-namespaces', 'models of all namespaces').conflicts('namespace'))
    .addOption(new Option('-o, --output <format>', 'format').choices(ADVICE_FORMATS).default('table'));
  return addClusterOptions(command).action(async (options: AdviseOptions) => {
    const now = Date.now();
    exit(
      await withCluster(options, io, { signal, forbidden: FORBIDDEN }, async (client, own) => {
        const namespace = options.allNamespaces ? undefined : (options.namespace ?? own);
        const advised = await adviseCluster(client, { namespace, now, signal });
        io.write(adviceText(advised, options.output));
      }),
    );
  });
}
