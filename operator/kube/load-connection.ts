/** Finding the API server that the process is meant to talk to. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Connection, ConnectionConfigError } from './connection.ts';
import { inClusterConnection, isInCluster } from './in-cluster.ts';

export interface LoadOptions {
  /** Path of a kubeconfig file; wins over everything else. */
  kubeconfig?: string | undefined;
  /** Context to use instead of the file's current one. */
  context?: string | undefined;
  /** Environment; default that of the process. */
  env?: Record<string, string | undefined>;
}

/**
 * Finds the API server in controller-runtime's order: explicit kubeconfig, `KUBECONFIG`, the pod's service account,
 * `~/.kube/config`.
 * @throws ConnectionConfigError when there is none of them, or the file is unusable.
 */
export async function loadConnection(options: LoadOptions = {}): Promise<Connection> {
  const env = options.env ?? process.env;
  if (options.kubeconfig || env.KUBECONFIG) {
    return kubeconfig(options.kubeconfig ?? env.KUBECONFIG ?? '', options.context);
  }
  if (isInCluster(env)) {
    return inClusterConnection({ env });
  }
  const home = env.HOME ? join(env.HOME, '.kube', 'config') : undefined;
  if (home && existsSync(home)) {
    return kubeconfig(home, options.context);
  }
  throw new ConnectionConfigError(
    'no API server configured: pass --kubeconfig, set KUBECONFIG, or run in a pod with a service account',
  );
}

/** Imported on demand: the library behind it costs 90 MB of memory, and a pod does not need it. */
async function kubeconfig(paths: string, context: string | undefined): Promise<Connection> {
  const { kubeconfigConnection } = await import('./kubeconfig.ts');
  return kubeconfigConnection(paths, context);
}
