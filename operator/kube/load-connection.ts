/** Determines which API server to connect to. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Connection, ConnectionConfigError } from './connection.ts';
import { inClusterConnection, isInCluster } from './in-cluster.ts';

export interface LoadOptions {
  /** Path of a kubeconfig file. Takes precedence over everything else. */
  kubeconfig?: string | undefined;
  /** Context to use instead of the current one of the file. */
  context?: string | undefined;
  /** Environment variables. Default: those of the process. */
  env?: Record<string, string | undefined>;
}

/**
 * Determines the API server in the order of controller-runtime: explicit kubeconfig, `KUBECONFIG`, the pod's service
 * account, `~/.kube/config`.
 * @throws ConnectionConfigError if none of them exists, or the file is invalid.
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

/** Imported on demand, because the library takes 90 MB of memory and a pod does not need it. */
async function kubeconfig(paths: string, context: string | undefined): Promise<Connection> {
  const { kubeconfigConnection } = await import('./kubeconfig.ts');
  return kubeconfigConnection(paths, context);
}
