/** The connection pool to one router's admin server. */
import type { TLSSocket } from 'node:tls';
import { buildConnector, type Dispatcher, Pool } from 'undici';
import type { CertificateAndKey } from '../pki/certificates.ts';
import { RouterAdminError } from './router-admin-error.ts';
import type { RouterEndpoint } from './router-endpoints.ts';

/** A router in the same cluster accepts within this time, or it is gone. */
const CONNECT_TIMEOUT_MS = 2_000;

/** Less than nginx keeps idle connections (nginx.conf), so that we are the ones to close them. */
const KEEP_ALIVE_MS = 60_000;

/** One for the long poll, one for pushes, one to spare while the certificate changes. */
const CONNECTIONS = 3;

/**
 * Speaks TLS with the operator's client certificate. The router's own certificate is self-made, so there is no CA to check
 * it with: the first one seen of a pod is remembered, and no other is accepted from that pod (docs/adr/0003).
 */
export class RouterConnection {
  readonly #endpoint: RouterEndpoint;
  #pinned: string | undefined;
  #current: { certificate: CertificateAndKey; pool: Pool } | undefined;

  constructor(endpoint: RouterEndpoint) {
    this.#endpoint = endpoint;
  }

  /** The pool for the client certificate of the moment. Requests on the pool before end in their own time. */
  pool(certificate: CertificateAndKey): Dispatcher {
    if (this.#current?.certificate !== certificate) {
      void this.#current?.pool.close();
      this.#current = { certificate, pool: this.#open(certificate) };
    }
    return this.#current.pool;
  }

  /** Ends every request and closes all sockets. */
  async close(): Promise<void> {
    await this.#current?.pool.destroy();
  }

  #open(certificate: CertificateAndKey): Pool {
    const connect = buildConnector({
      cert: certificate.certificatePem,
      key: certificate.privateKeyPem,
      rejectUnauthorized: false,
      minVersion: 'TLSv1.3',
      // A resumed session would not show the certificate again.
      maxCachedSessions: 0,
      timeout: CONNECT_TIMEOUT_MS,
      keepAlive: true,
      keepAliveInitialDelay: 15_000,
    });
    return new Pool(`https://${this.#endpoint.address}`, {
      allowH2: false,
      connections: CONNECTIONS,
      keepAliveTimeout: KEEP_ALIVE_MS,
      keepAliveMaxTimeout: KEEP_ALIVE_MS,
      connect: (options, callback) => {
        connect(options, (...[error, socket]) => {
          if (error) return callback(error, null);
          if (this.#admits(socket as TLSSocket)) return callback(null, socket);
          socket.destroy();
          callback(
            new RouterAdminError({
              code: 'Untrusted',
              router: this.#endpoint.name,
              message:
                'shows another certificate than before; nothing was sent. Delete the pod if nobody did this on purpose',
            }),
            null,
          );
        });
      },
    });
  }

  #admits(socket: TLSSocket): boolean {
    const { fingerprint256 } = socket.getPeerCertificate();
    this.#pinned ??= fingerprint256;
    return fingerprint256 !== undefined && fingerprint256 === this.#pinned;
  }
}
