/** Where the API server is and who we are to it. */
import { withoutTrailing } from './without-trailing.ts';
/** TLS settings in the form that Node's `tls.connect` takes. */
export interface TlsOptions {
  ca?: string | Buffer;
  cert?: string | Buffer;
  key?: string | Buffer;
  servername?: string;
  rejectUnauthorized?: boolean;
}

/** What authenticates a request. Both parts can change while the process runs. */
export interface Credentials {
  headers: Record<string, string>;
  tls: TlsOptions;
}

export interface Connection {
  /** Base URL of the API server, without a slash at its end. */
  readonly server: string;
  /** The namespace that the context or the pod names. */
  readonly namespace: string | undefined;
  /** HTTP proxy on the way to the server. */
  readonly proxyUrl?: string | undefined;
  /** Current credentials. `fresh` skips every cache: the server refused the last ones. */
  credentials(options: { fresh: boolean; signal?: AbortSignal | undefined }): Promise<Credentials>;
}

/** No way to find out which API server to talk to. */
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

/** A connection from values at hand, without any file. */
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
