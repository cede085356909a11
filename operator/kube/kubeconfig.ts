/** Connections from kubeconfig files. @kubernetes/client-node only parses them and runs credential plugins. */
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { RequestOptions } from 'node:https';
import { delimiter, dirname } from 'node:path';
import { KubeConfig } from '@kubernetes/client-node';
import { type Clock, systemClock } from './clock.ts';
import { type Connection, ConnectionConfigError, type Credentials } from './connection.ts';
import { type KubeconfigUser, kubeconfigUsers } from './kubeconfig-users.ts';
import { withoutTrailing } from './without-trailing.ts';

/** The parsed files, and what the library does not read of the current user. */
interface Kubeconfig {
  config: KubeConfig;
  user: KubeconfigUser | undefined;
}

/** How long file contents are cached. The library reads them on every call. */
const REREAD_MS = 60_000;

/**
 * A connection from one or more kubeconfig files (separated as in `KUBECONFIG`; earlier files take precedence).
 * @throws ConnectionConfigError if a file cannot be read, the context has no cluster, or its user has unsupported fields.
 */
export function kubeconfigConnection(
  paths: string,
  context: string | undefined,
  clock: Clock = systemClock,
): Connection {
  let loaded = load(paths, context);
  const { config } = loaded;
  const cluster = clusterOf(config, paths);
  let cached: { credentials: Credentials; readAt: number } | undefined;
  return {
    server: withoutTrailing(cluster.server, '/'),
    namespace: config.getContextObject(config.currentContext)?.namespace,
    proxyUrl: cluster.proxyUrl || undefined,
    async credentials({ fresh }) {
      if (fresh) {
        loaded = load(paths, context);
        cached = undefined;
      }
      if (cached === undefined || clock.monotonic() - cached.readAt > REREAD_MS) {
        cached = { credentials: await readCredentials(loaded), readAt: clock.monotonic() };
      }
      return cached.credentials;
    },
  };
}

function load(paths: string, context: string | undefined): Kubeconfig {
  const files = paths.split(delimiter).filter((path) => path !== '');
  if (files.length === 0) {
    throw new ConnectionConfigError('the path of the kubeconfig is empty');
  }
  const config = new KubeConfig();
  const users = new Map<string, KubeconfigUser>();
  try {
    for (const path of files) {
      const text = readFileSync(path, 'utf8');
      const next = new KubeConfig();
      next.loadFromString(text);
      next.makePathsAbsolute(dirname(path));
      config.mergeConfig(next, Boolean(config.currentContext));
      for (const [name, user] of kubeconfigUsers(text, dirname(path))) users.set(name, user);
    }
  } catch (error) {
    throw unusable(paths, error);
  }
  if (context !== undefined) {
    config.setCurrentContext(context);
  }
  allowPlainHttp(config);
  return { config, user: checkedUser(config, users, paths) };
}

/** The current user. Fails if requests would have another identity than the files say, or none. */
function checkedUser(
  config: KubeConfig,
  users: ReadonlyMap<string, KubeconfigUser>,
  paths: string,
): KubeconfigUser | undefined {
  const name = config.getCurrentUser()?.name ?? '';
  const user = users.get(name);
  if (user && user.unsupported.length > 0) {
    throw new ConnectionConfigError(
      `kubeconfig ${paths}: user ${JSON.stringify(name)} has ${user.unsupported.join(', ')}, which is not supported; ` +
        'remove it, and impersonate with "as" alone or use the credentials of that user',
    );
  }
  try {
    if (user?.tokenFile) readFileSync(user.tokenFile);
  } catch (error) {
    throw unusable(paths, error);
  }
  return user;
}

function unusable(paths: string, error: unknown): ConnectionConfigError {
  const reason = error instanceof Error ? error.message : String(error);
  return new ConnectionConfigError(`kubeconfig ${paths}: ${reason}`, { cause: error });
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

async function readCredentials({ config, user }: Kubeconfig): Promise<Credentials> {
  const options: RequestOptions = { headers: {} };
  await config.applyToHTTPSOptions(options);
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(options.headers ?? {})) {
    headers[name.toLowerCase()] = String(value).trim();
  }
  if (options.auth) {
    headers.authorization = `Basic ${Buffer.from(options.auth).toString('base64')}`;
  }
  // As in client-go, the file wins over a token.
  if (user?.tokenFile) headers.authorization = `Bearer ${(await readFile(user.tokenFile, 'utf8')).trim()}`;
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
