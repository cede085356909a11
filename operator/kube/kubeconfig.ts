/** Connections from kubeconfig files. @kubernetes/client-node only parses them and runs credential plugins. */
import type { RequestOptions } from 'node:https';
import { delimiter } from 'node:path';
import { KubeConfig } from '@kubernetes/client-node';
import { type Clock, systemClock } from './clock.ts';
import { type Connection, ConnectionConfigError, type Credentials } from './connection.ts';
import { withoutTrailing } from './without-trailing.ts';

/** How long file contents are cached. The library reads them on every call. */
const REREAD_MS = 60_000;

/**
 * A connection from one or more kubeconfig files (separated as in `KUBECONFIG`; earlier files take precedence).
 * @throws ConnectionConfigError if a file cannot be read or the context has no cluster.
 */
export function kubeconfigConnection(
  paths: string,
  context: string | undefined,
  clock: Clock = systemClock,
): Connection {
  let config = load(paths, context);
  const cluster = clusterOf(config, paths);
  let cached: { credentials: Credentials; readAt: number } | undefined;
  return {
    server: withoutTrailing(cluster.server, '/'),
    namespace: config.getContextObject(config.currentContext)?.namespace,
    proxyUrl: cluster.proxyUrl || undefined,
    async credentials({ fresh }) {
      if (fresh) {
        config = load(paths, context);
        cached = undefined;
      }
      if (cached === undefined || clock.monotonic() - cached.readAt > REREAD_MS) {
        cached = { credentials: await readCredentials(config), readAt: clock.monotonic() };
      }
      return cached.credentials;
    },
  };
}

function load(paths: string, context: string | undefined): KubeConfig {
  const config = new KubeConfig();
  const [first, ...others] = paths.split(delimiter).filter((path) => path !== '');
  if (first === undefined) {
    throw new ConnectionConfigError('the path of the kubeconfig is empty');
  }
  try {
    config.loadFromFile(first);
    for (const path of others) {
      const next = new KubeConfig();
      next.loadFromFile(path);
      config.mergeConfig(next, Boolean(config.currentContext));
    }
  } catch (error) {
    throw new ConnectionConfigError(
      `kubeconfig ${paths}: ${error instanceof Error ? error.message : String(error)}`,
      {
        cause: error,
      },
    );
  }
  if (context !== undefined) {
    config.setCurrentContext(context);
  }
  allowPlainHttp(config);
  return config;
}

/** The library rejects `http://` unless TLS verification is off, which is meaningless without TLS. kubectl accepts it. */
function allowPlainHttp(config: KubeConfig): void {
  config.clusters = config.clusters.map((cluster) =>
    cluster.server?.startsWith('http:') ? { ...cluster, skipTLSVerify: true } : cluster,
  );
}

function clusterOf(config: KubeConfig, paths: string) {
  const cluster = config.getCurrentCluster();
  if (!cluster) {
    throw new ConnectionConfigError(
      `kubeconfig ${paths}: context ${JSON.stringify(config.currentContext ?? '')} has no cluster; ` +
        `choose one of ${config.contexts.map(({ name }) => name).join(', ') || 'its contexts, of which it has none'}`,
    );
  }
  if (cluster.proxyUrl?.startsWith('socks')) {
    throw new ConnectionConfigError(
      `kubeconfig ${paths}: SOCKS proxies are not supported, use an HTTP proxy`,
    );
  }
  return cluster;
}

async function readCredentials(config: KubeConfig): Promise<Credentials> {
  const options: RequestOptions = { headers: {} };
  await config.applyToHTTPSOptions(options);
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(options.headers ?? {})) {
    headers[name.toLowerCase()] = String(value).trim();
  }
  if (options.auth) {
    headers.authorization = `Basic ${Buffer.from(options.auth).toString('base64')}`;
  }
  return {
    headers,
    tls: {
      ...pem('ca', options.ca),
      ...pem('cert', options.cert),
      ...pem('key', options.key),
      ...(options.servername ? { servername: options.servername } : {}),
      ...(options.rejectUnauthorized === false ? { rejectUnauthorized: false } : {}),
    },
  };
}

function pem<N extends 'ca' | 'cert' | 'key'>(name: N, value: unknown): { [K in N]?: string | Buffer } {
  return typeof value === 'string' || Buffer.isBuffer(value)
    ? ({ [name]: value } as { [K in N]?: string | Buffer })
    : {};
}
