/** The HTTPS server of `external.metrics.k8s.io/v1beta1`, which autoscalers read through the aggregation layer. */
import { constants } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server as HttpsServer } from 'node:https';
import type { Registry } from 'prom-client';
import type { KubeClient } from '../kube/client.ts';
import { type Clock, sleep, systemClock } from '../kube/clock.ts';
import { limitConnections } from '../kube/limit-connections.ts';
import { type Logger, silentLogger } from '../kube/logger.ts';
import type { CertificateAndKey } from '../pki/certificates.ts';
import { AccessReviewer } from './access-reviewer.ts';
import { ApiError } from './api-error.ts';
import { AuthenticationConfigSource } from './authentication-config-source.ts';
import { Authenticator } from './authenticator.ts';
import type { MetricSource } from './metric-values.ts';
import { type Answer, handleMetricsRequest, type MetricsHandlerOptions } from './metrics-handler.ts';
import { type RequestMetrics, requestMetrics } from './request-metrics.ts';
import { TokenReviewer } from './token-reviewer.ts';

export interface MetricsApiServerOptions {
  client: Pick<KubeClient, 'get'>;
  /** For TokenReviews and SubjectAccessReviews. Has `REVIEW_CONNECTIONS` connections that nothing else uses. */
  reviews: Pick<KubeClient, 'raw'>;
  source: MetricSource;
  /** The current serving certificate. Called at start and then every few minutes. */
  certificate: (signal: AbortSignal) => Promise<CertificateAndKey>;
  /** 0 selects a free port. */
  port: number;
  /** Default: all addresses. */
  host?: string;
  registry?: Registry | undefined;
  log?: Logger;
  clock?: Clock;
}

/** Certificates are valid for days, and a new authority is trusted for days before it signs. */
const CERTIFICATE_CHECK_MS = 5 * 60_000;
/** Longer than the 90 s of Go's clients, so that the client closes idle connections, and none is closed during a request. */
const KEEP_ALIVE_MS = 120_000;
/** API servers keep a few connections each. Other clients must not use up all. */
const CONNECTIONS = { total: 1_024, perAddress: 128 };
/** Timeout of a handshake, and of the request headers. */
const HEAD_MS = 10_000;
/** Timeout of a whole request. None has a body. */
const REQUEST_MS = 30_000;
/** Requests in flight at shutdown may take this long. */
const DRAIN_MS = 2_000;

export class MetricsApiServer {
  readonly name = 'external metrics API';
  readonly #options: MetricsApiServerOptions;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #metrics: RequestMetrics;
  readonly #stop = new AbortController();
  readonly #handler: MetricsHandlerOptions;
  #server: HttpsServer | undefined;
  #certificate: CertificateAndKey | undefined;
  #following: Promise<void> | undefined;

  constructor(options: MetricsApiServerOptions) {
    const { client, reviews, clock = systemClock, log = silentLogger, source } = options;
    const { signal } = this.#stop;
    this.#options = options;
    this.#clock = clock;
    this.#log = log;
    this.#metrics = requestMetrics(options.registry);
    this.#handler = {
      authenticator: new Authenticator({
        config: new AuthenticationConfigSource({ client, signal, clock, log }),
        tokens: new TokenReviewer({ client: reviews, signal, clock }),
        clock,
      }),
      access: new AccessReviewer({ client: reviews, signal, clock }),
      source,
      now: () => clock.now(),
    };
  }

  /** The port in use; 0 before `start`. */
  get port(): number {
    const address = this.#server?.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  /** Resolves once it listens. Rejects if there is no certificate or the port is in use. */
  async start(): Promise<void> {
    const certificate = await this.#options.certificate(this.#stop.signal);
    const server = createServer(
      {
        ...secureContext(certificate),
        requestCert: true,
        // Certificates are verified per request, because the CAs can change during a connection.
        rejectUnauthorized: false,
        keepAliveTimeout: KEEP_ALIVE_MS,
        handshakeTimeout: HEAD_MS,
        headersTimeout: HEAD_MS,
        requestTimeout: REQUEST_MS,
      },
      (request, response) => {
        this.#answer(request, response).catch((error: unknown) => {
          this.#log.error({ err: error }, 'metrics API: cannot send a response');
          response.destroy();
        });
      },
    );
    limitConnections(server, CONNECTIONS);
    // Invalid handshakes and early disconnects of clients are not worth a log line.
    server.on('tlsClientError', (_error, socket) => socket.destroy());
    await listen(server, this.#options.port, this.#options.host);
    this.#server = server;
    this.#certificate = certificate;
    this.#following = this.#followCertificate();
  }

  /** Resolves once all connections are closed. */
  async stop(): Promise<void> {
    const server = this.#server;
    if (server) {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      const cancel = this.#clock.setTimeout(() => server.closeAllConnections(), DRAIN_MS);
      await closed;
      cancel();
    }
    this.#stop.abort(new Error('the metrics API stops'));
    await this.#following;
  }

  /** New connections get the new certificate. Existing ones keep theirs, which is valid for days. */
  async #followCertificate(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        await sleep(CERTIFICATE_CHECK_MS, { clock: this.#clock, signal });
        const certificate = await this.#options.certificate(signal);
        if (certificate === this.#certificate) continue;
        this.#server?.setSecureContext(secureContext(certificate));
        this.#certificate = certificate;
        this.#log.info({}, 'metrics API: serving with a new certificate');
      } catch (error) {
        if (!signal.aborted)
          this.#log.warn({ err: error }, 'metrics API: no new certificate, keeping the old one');
      }
    }
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const done = this.#metrics.start();
    request.resume();
    let status = 200;
    try {
      const answer = await handleMetricsRequest(request, this.#handler);
      send(response, 200, answer);
    } catch (error) {
      const failure = error instanceof ApiError ? error : this.#internal(error);
      status = failure.status;
      if (failure.code === 'Unauthorized') response.setHeader('connection', 'close');
      send(response, status, { contentType: 'application/json', body: failure.toStatus() });
    } finally {
      done(status);
    }
  }

  #internal(error: unknown): ApiError {
    if (!this.#stop.signal.aborted) this.#log.warn({ err: error }, 'metrics API: cannot handle a request');
    const message = error instanceof Error ? error.message : String(error);
    return new ApiError('InternalError', `Internal error occurred: ${message}`, { cause: error });
  }
}

/**
 * No CAs, because clients would select a certificate by the CA names in the handshake. No session resumption, because it
 * hides the certificate chain.
 */
function secureContext({ certificatePem, privateKeyPem }: CertificateAndKey) {
  return {
    cert: certificatePem,
    key: privateKeyPem,
    ca: [],
    minVersion: 'TLSv1.2' as const,
    secureOptions: constants.SSL_OP_NO_TICKET,
  };
}

async function listen(server: HttpsServer, port: number, host: string | undefined): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.removeListener('error', reject);
      resolve();
    });
  });
}

/** Does nothing if the client has disconnected. */
function send(response: ServerResponse, status: number, answer: Answer): void {
  if (response.destroyed) return;
  const [contentType, body] =
    'text' in answer
      ? ['text/plain; charset=utf-8', answer.text]
      : [answer.contentType, JSON.stringify(answer.body)];
  response.writeHead(status, { 'content-type': contentType, 'cache-control': 'no-cache, private' }).end(body);
}
