/** The connection pool to the API server. It is shared by all requests and replaced only if the TLS material changes. */
import { createHash } from 'node:crypto';
import { Agent, type Dispatcher, ProxyAgent } from 'undici';
import type { Connection, TlsOptions } from './connection.ts';

/** Idle time before a socket is closed. Go's API server keeps idle sockets for 90 s or more. */
const KEEP_ALIVE_MS = 30_000;

/** Idle time before the kernel probes the peer once per second. After ten unanswered probes the socket is closed. */
const TCP_KEEP_ALIVE_MS = 15_000;

const CONNECT_TIMEOUT_MS = 10_000;

/** Provides the pool for the present TLS material. */
export class DispatcherHolder {
  readonly #connection: Connection;
  readonly #connections: number;
  #current: { tls: TlsOptions; fingerprint: string; dispatcher: Dispatcher } | undefined;

  constructor(connection: Connection, connections: number) {
    this.#connection = connection;
    this.#connections = connections;
  }

  /** The pool. Requests and watches that started before a rotation finish on the previous pool. */
  get(tls: TlsOptions): Dispatcher {
    if (this.#current?.tls === tls) {
      return this.#current.dispatcher;
    }
    const fingerprint = fingerprintOf(tls);
    const old = this.#current;
    const dispatcher = old?.fingerprint === fingerprint ? old.dispatcher : this.#create(tls);
    this.#current = { tls, fingerprint, dispatcher };
    if (old !== undefined && old.dispatcher !== dispatcher) {
      old.dispatcher.close(() => {});
    }
    return dispatcher;
  }

  /** Aborts all requests and closes all sockets. */
  async close(): Promise<void> {
    await this.#current?.dispatcher.destroy();
    this.#current = undefined;
  }

  /**
   * HTTP/1.1, because with undici's HTTP/2 a PATCH hung while a watch was open on the same connection, and aborts leak
   * (undici #5524, #5566, #5381).
   */
  #create(tls: TlsOptions): Dispatcher {
    const pool = {
      allowH2: false,
      connections: this.#connections,
      keepAliveTimeout: KEEP_ALIVE_MS,
      keepAliveMaxTimeout: KEEP_ALIVE_MS,
    };
    const tcp = { timeout: CONNECT_TIMEOUT_MS, keepAlive: true, keepAliveInitialDelay: TCP_KEEP_ALIVE_MS };
    return this.#connection.proxyUrl
      ? new ProxyAgent({
          ...pool,
          uri: this.#connection.proxyUrl,
          requestTls: { ...tls, ...tcp },
          connect: tcp,
        })
      : new Agent({ ...pool, connect: { ...tls, ...tcp } });
  }
}

function fingerprintOf(tls: TlsOptions): string {
  const hash = createHash('sha256');
  for (const value of [tls.ca, tls.cert, tls.key, tls.servername, String(tls.rejectUnauthorized)]) {
    hash.update(value ?? '').update('\0');
  }
  return hash.digest('hex');
}
