/** HTTP to the API server: pooled connections, deadlines, retries and credentials for all requests. */
import type { Registry } from 'prom-client';
import type { Dispatcher } from 'undici';
import { type Deadline, deadline, orAbort } from './abort.ts';
import { backoffDelay } from './backoff.ts';
import { type Clock, sleep, systemClock } from './clock.ts';
import type { Connection, Credentials } from './connection.ts';
import { DispatcherHolder } from './dispatcher.ts';
import { errorFromResponse, isKubeError, KubeError } from './errors.ts';
import { counter } from './metrics.ts';
import { type Query, queryString } from './resource-path.ts';
import { withoutTrailing } from './without-trailing.ts';

export interface TransportOptions {
  connection: Connection;
  /** Default `vllm-operator`. */
  userAgent?: string;
  /** Deadline of a request including its retries, in milliseconds. Default 30 s. */
  requestTimeoutMs?: number;
  /** Most sockets. Each open watch occupies one. Default 64. */
  connections?: number;
  registry?: Registry | undefined;
  clock?: Clock;
  random?: () => number;
}

export interface Request {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Absolute path without query. */
  path: string;
  query?: Query | undefined;
  headers?: Record<string, string> | undefined;
  body?: string | undefined;
  signal?: AbortSignal | undefined;
  timeoutMs?: number | undefined;
  /** Whether the request may be repeated after a dropped connection. Default: only GET. */
  idempotent?: boolean | undefined;
}

export interface Response {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  text: string;
}

const MAX_ATTEMPTS = 6;
const BACKOFF = { baseMs: 100, capMs: 5_000 };

/** Create one per process and API server, and further ones with `withOwnConnections`. */
export class Transport {
  readonly #options: TransportOptions;
  readonly #parts: Transport[] = [];
  readonly #connection: Connection;
  readonly #dispatchers: DispatcherHolder;
  readonly #userAgent: string;
  readonly #requestTimeoutMs: number;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #basePath: string;
  #refreshing: Promise<Credentials> | undefined;
  readonly #count: (code: string, method: string) => void;

  constructor(options: TransportOptions) {
    this.#options = options;
    this.#connection = options.connection;
    this.#dispatchers = new DispatcherHolder(options.connection, options.connections ?? 64);
    this.#userAgent = options.userAgent ?? 'vllm-operator';
    this.#requestTimeoutMs = options.requestTimeoutMs ?? 30_000;
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? Math.random;
    this.#basePath = withoutTrailing(new URL(options.connection.server).pathname, '/');
    this.#count = requestCounter(options.registry, options.connection.server);
  }

  /** The server's base URL, for messages. */
  get server(): string {
    return this.#connection.server;
  }

  /**
   * Sends a request and reads the whole response.
   * @throws KubeError for every response other than 2xx, and if there is none; the signal's reason if the caller aborts.
   */
  async request(request: Request): Promise<Response> {
    const timeoutMs = request.timeoutMs ?? this.#requestTimeoutMs;
    const limit = deadline(request.signal, timeoutMs, this.#clock, () => timedOut(request, timeoutMs));
    const endsAt = this.#clock.monotonic() + timeoutMs;
    try {
      return await this.#attempts(request, limit.signal, endsAt);
    } finally {
      limit.dispose();
    }
  }

  /**
   * Opens a streaming response, such as a watch. The deadline covers the time to the headers; after that only the signal
   * ends it. Not retried.
   */
  async stream(request: Request): Promise<AsyncIterable<Uint8Array>> {
    const timeoutMs = request.timeoutMs ?? this.#requestTimeoutMs;
    const limit = deadline(request.signal, timeoutMs, this.#clock, () => timedOut(request, timeoutMs));
    try {
      const data = await this.#open(request, limit.signal);
      limit.lift();
      return this.#chunks(request, data, limit);
    } catch (error) {
      limit.dispose();
      throw error;
    }
  }

  /**
   * A transport to the same server whose requests take no socket from this one, for requests that must not hold up others.
   * It is closed with this one.
   */
  withOwnConnections(connections: number): Transport {
    const part = new Transport({ ...this.#options, connections });
    this.#parts.push(part);
    return part;
  }

  /** Aborts all requests and closes all sockets. */
  async close(): Promise<void> {
    await Promise.all([this.#dispatchers.close(), ...this.#parts.map((part) => part.close())]);
  }

  async #attempts(request: Request, signal: AbortSignal, endsAt: number): Promise<Response> {
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.#once(request, signal);
      } catch (error) {
        if (!(error instanceof KubeError) || attempt + 1 >= MAX_ATTEMPTS) {
          throw error;
        }
        const waitMs = this.#retryIn(error, request, attempt);
        if (waitMs === undefined || this.#clock.monotonic() + waitMs >= endsAt) {
          throw error;
        }
        await sleep(waitMs, { clock: this.#clock, signal });
      }
    }
  }

  async #once(request: Request, signal: AbortSignal): Promise<Response> {
    const data = await this.#open(request, signal);
    try {
      return { status: data.statusCode, headers: data.headers, text: await data.body.text() };
    } catch (error) {
      throw translate(error, request, signal);
    }
  }

  /** Sends a request. If the server rejects the credentials, repeats it with fresh ones. */
  async #open(request: Request, signal: AbortSignal): Promise<Dispatcher.ResponseData> {
    try {
      return await this.#send(request, signal, false);
    } catch (error) {
      if (isKubeError(error, 'Unauthorized')) {
        return this.#send(request, signal, true);
      }
      throw error;
    }
  }

  /** Waits for the headers of a 2xx response. */
  async #send(request: Request, signal: AbortSignal, fresh: boolean): Promise<Dispatcher.ResponseData> {
    try {
      signal.throwIfAborted();
      const credentials = await orAbort(this.#credentials(fresh, signal), signal);
      const data = await this.#dispatchers.get(credentials.tls).request({
        origin: this.#connection.server,
        path: this.#basePath + request.path + queryString(request.query),
        method: request.method,
        headers: {
          accept: 'application/json',
          'user-agent': this.#userAgent,
          ...credentials.headers,
          ...request.headers,
        },
        body: request.body ?? null,
        signal,
        headersTimeout: 0,
        bodyTimeout: 0,
      });
      this.#count(String(data.statusCode), request.method);
      if (data.statusCode < 200 || data.statusCode > 299) {
        throw errorFromResponse(data.statusCode, await data.body.text(), {
          request: describe(request),
          retryAfterMs: retryAfter(data.headers['retry-after'], this.#clock),
        });
      }
      return data;
    } catch (error) {
      const translated = translate(error, request, signal);
      if (translated instanceof KubeError && translated.status === 0) {
        this.#count('<error>', request.method);
      }
      throw translated;
    }
  }

  async *#chunks(
    request: Request,
    data: Dispatcher.ResponseData,
    limit: Deadline,
  ): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of data.body) {
        yield chunk;
      }
    } catch (error) {
      throw translate(error, request, limit.signal);
    } finally {
      limit.dispose();
    }
  }

  /** One refresh serves all requests that were rejected at the same time. */
  #credentials(fresh: boolean, signal: AbortSignal): Promise<Credentials> {
    if (!fresh) {
      return this.#connection.credentials({ fresh, signal });
    }
    this.#refreshing ??= this.#connection.credentials({ fresh }).finally(() => {
      this.#refreshing = undefined;
    });
    return this.#refreshing;
  }

  /**
   * The delay before the next attempt, or undefined for none. 429 and 503 with Retry-After were rejected before processing,
   * so they may be repeated with any method. Other failures are only repeated for idempotent requests.
   */
  #retryIn(error: KubeError, request: Request, attempt: number): number | undefined {
    const idempotent = request.idempotent ?? request.method === 'GET';
    const refused =
      error.code === 'Throttled' || (error.code === 'Unavailable' && error.retryAfterMs !== undefined);
    const harmless = idempotent && (error.code === 'Unavailable' || error.code === 'ConnectionFailed');
    if (!refused && !harmless) {
      return undefined;
    }
    return error.retryAfterMs ?? backoffDelay(attempt, { ...BACKOFF, random: this.#random });
  }
}

function describe(request: Request): string {
  return `${request.method} ${request.path}`;
}

function timedOut(request: Request, timeoutMs: number): KubeError {
  return new KubeError({
    code: 'Timeout',
    request: describe(request),
    message: `no complete answer within ${timeoutMs} ms`,
  });
}

/** The caller's abort and the deadline keep their own reasons. Every other untyped error is a lost connection. */
function translate(error: unknown, request: Request, signal: AbortSignal): unknown {
  if (signal.aborted) {
    return signal.reason;
  }
  if (!(error instanceof Error) || error instanceof KubeError || !isNetworkError(error)) {
    return error;
  }
  return new KubeError({
    code: 'ConnectionFailed',
    request: describe(request),
    message: error.message || error.code,
    cause: error,
  });
}

/** Errors of sockets, TLS and undici have a string code; programming errors do not. */
function isNetworkError(error: Error): error is Error & { code: string } {
  return 'code' in error && typeof error.code === 'string';
}

/** Retry-After in milliseconds. The header has seconds or an HTTP date. */
function retryAfter(header: string | string[] | undefined, clock: Clock): number | undefined {
  const value = Array.isArray(header) ? header[0] : header;
  if (value === undefined) {
    return undefined;
  }
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - clock.now();
  return Number.isFinite(ms) ? Math.max(0, ms) : undefined;
}

function requestCounter(
  registry: Registry | undefined,
  server: string,
): (code: string, method: string) => void {
  if (registry === undefined) {
    return () => {};
  }
  const { host } = new URL(server);
  const requests = counter(registry, {
    name: 'rest_client_requests_total',
    help: 'Requests to the API server by status code, method and host.',
    labelNames: ['code', 'method', 'host'],
  });
  return (code, method) => requests.inc({ code, method, host });
}
