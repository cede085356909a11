/** The address of the API server and the credentials for it. */
import { withoutTrailing } from './without-trailing.ts';
/** TLS settings in the form that Node's `tls.connect` takes. */
export interface TlsOptions {
  ca?: string | Buffer;
  cert?: string | Buffer;
  key?: string | Buffer;
  servername?: string;
  rejectUnauthorized?: boolean;
}

/** Credentials of a request. Both parts can change while the process runs. */
export interface Credentials {
  headers: Record<string, string>;
  tls: TlsOptions;
}

export interface Connection {
  /** Base URL of the API server, without a trailing slash. */
  readonly server: string;
  /** Namespace of the context or the pod. */
  readonly namespace: string | undefined;
  /** HTTP proxy to reach the server. */
  readonly proxyUrl?: string | undefined;
  /** Current credentials. `fresh` bypasses all caches, because the server rejected the last ones. */
  credentials(options: { fresh: boolean; signal?: AbortSignal | undefined }): Promise<Credentials>;
}

/** The API server to connect to cannot be determined. */
export class ConnectionConfigError extends Error {
  override readonly name = 'ConnectionConfigError';
  readonly code = 'CONNECTION_CONFIG';
}

export interface DirectOptions {
  server: string;
  namespace?: string;
  caPem?: string;
  certPem?: string;
  keyPem?: string;
  token?: string;
}

/** A connection from explicit values, without a file. */
export function connectionTo({
  server,
  namespace,
  caPem,
  certPem,
  keyPem,
  token,
}: DirectOptions): Connection {
  const credentials: Credentials = {
    headers: token ? { authorization: `Bearer ${token}` } : {},
    tls: {
      ...(caPem ? { ca: caPem } : {}),
      ...(certPem ? { cert: certPem } : {}),
      ...(keyPem ? { key: keyPem } : {}),
    },
  };
  return { server: withoutTrailing(server, '/'), namespace, credentials: async () => credentials };
}
