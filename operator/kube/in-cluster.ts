/** The connection of a process in a pod: service account token and CA, both rotated by the kubelet. */
import { existsSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, systemClock } from './clock.ts';
import type { Connection, Credentials } from './connection.ts';

const SERVICE_ACCOUNT_DIR = '/var/run/secrets/kubernetes.io/serviceaccount';

/** client-go's interval. The kubelet replaces a token at 80 % of its lifetime, so a cached one never expires. */
const REREAD_MS = 60_000;

type Env = Record<string, string | undefined>;

/** Whether the environment has what `inClusterConnection` needs. */
export function isInCluster(env: Env, dir = SERVICE_ACCOUNT_DIR): boolean {
  return Boolean(env.KUBERNETES_SERVICE_HOST) && existsSync(join(dir, 'token'));
}

/** Uses the service account of the pod. Files are read again every minute, and at once when the server rejects a token. */
export function inClusterConnection({
  env,
  dir = SERVICE_ACCOUNT_DIR,
  clock = systemClock,
}: {
  env: Env;
  dir?: string;
  clock?: Clock;
}): Connection {
  const host = env.KUBERNETES_SERVICE_HOST ?? '';
  const port = env.KUBERNETES_SERVICE_PORT ?? '443';
  const namespaceFile = join(dir, 'namespace');
  let cached: { credentials: Credentials; readAt: number } | undefined;
  return {
    server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
    namespace: existsSync(namespaceFile) ? readFileSync(namespaceFile, 'utf8').trim() : undefined,
    async credentials({ fresh }) {
      if (cached === undefined || fresh || clock.monotonic() - cached.readAt > REREAD_MS) {
        const [token, ca] = await Promise.all([
          readFile(join(dir, 'token'), 'utf8'),
          readFile(join(dir, 'ca.crt'), 'utf8'),
        ]);
        cached = {
          credentials: { headers: { authorization: `Bearer ${token.trim()}` }, tls: { ca } },
          readAt: clock.monotonic(),
        };
      }
      return cached.credentials;
    },
  };
}
