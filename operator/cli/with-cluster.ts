/** Runs a command against a cluster. Errors that a user can do something about are printed. */
import type { Command } from 'commander';
import { KubeClient } from '../kube/client.ts';
import { ConnectionConfigError } from '../kube/connection.ts';
import { isKubeError } from '../kube/errors.ts';
import { loadConnection } from '../kube/load-connection.ts';
import { Transport } from '../kube/transport.ts';
import type { CommandOutput } from './problems.ts';

export interface ClusterOptions {
  kubeconfig?: string;
  context?: string;
}

/** Adds the options that choose the cluster. */
export function addClusterOptions(command: Command): Command {
  return command
    .option('--kubeconfig <path>', 'kubeconfig to use; default: $KUBECONFIG or ~/.kube/config')
    .option('--context <name>', 'context of the kubeconfig');
}

/**
 * Connects and calls `use` with a client and the namespace of the context. Resolves to the exit code. `forbidden` is added to the
 * message if a permission is missing.
 */
export async function withCluster(
  { kubeconfig, context }: ClusterOptions,
  { fail }: CommandOutput,
  { signal, forbidden }: { signal: AbortSignal; forbidden: string },
  use: (client: KubeClient, namespace: string) => Promise<void>,
): Promise<number> {
  let transport: Transport | undefined;
  try {
    const connection = await loadConnection({
      ...(kubeconfig !== undefined && { kubeconfig }),
      ...(context !== undefined && { context }),
    });
    transport = new Transport({ connection, userAgent: 'vllm-operator' });
    const client = new KubeClient(transport, { fieldManager: 'vllm-operator' });
    await use(client, connection.namespace ?? 'default');
    return 0;
  } catch (error) {
    if (signal.aborted) return 1;
    if (!(error instanceof ConnectionConfigError) && !isKubeError(error)) throw error;
    fail(`error: ${error.message}${isKubeError(error, 'Forbidden') ? `; ${forbidden}` : ''}\n`);
    return 1;
  } finally {
    await transport?.close();
  }
}
