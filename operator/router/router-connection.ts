/** The connection pool to one router's admin server. */
import type { TLSSocket } from 'node:tls';
import { buildConnector, type Dispatcher, Pool } from 'undici';
import type { CertificateAndKey } from '../pki/certificates.ts';
import { RouterAdminError } from './router-admin-error.ts';
import type { RouterEndpoint } from './router-endpoints.ts';

/** A router in the same cluster accepts within this time unless it is down. */
const CONNECT_TIMEOUT_MS = 2_000;

/** Shorter than nginx's keep-alive (nginx.conf), so that the client closes first. */
const KEEP_ALIVE_MS = 60_000;

/** One for the long poll, one for pushes, and one spare during certificate rotation. */
const CONNECTIONS = 3;

/**
 * Connects with the operator's client certificate. The router's certificate is self-signed, so no CA can verify it. The
 * first one seen from a pod is pinned, and no other is accepted from that pod (docs/adr/0003).
 */
export class RouterConnection {
  readonly #endpoint: RouterEndpoint;
  #pinned: string | undefined;
  #current: { certificate: CertificateAndKey; pool: Pool } | undefined;

  constructor(endpoint: RouterEndpoint) {
    this.#endpoint = endpoint;
  }

  /** The pool for the present client certificate. Requests on the previous pool finish there. */
  pool(certificate: CertificateAndKey): Dispatcher {
    if (this.#current?.certificate !== certificate) {
      void this.#current?.pool.close();
      this.#current = { certificate, pool: this.#open(certificate) };
    }
    return this.#current.pool;
  }

  /** Aborts all requests and closes all sockets. */
  async close(): Promise<void> {
    await this.#current?.pool.destroy();
  }

  #open(certificate: CertificateAndKey): Pool {
    const connect = buildConnector({
      cert: certificate.certificatePem,
      key: certificate.privateKeyPem,
      rejectUnauthorized: false,
      minVersion: 'TLSv1.3',
      // A resumed TLS session would not present the certificate again.
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
