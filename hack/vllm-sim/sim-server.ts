/** The HTTP server over a simulated engine; also for use inside a test's own process. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
  STATUS_CODES,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Environment } from './cli/environment.ts';
import { parseArguments } from './cli/parse-arguments.ts';
import { pause, type SimClock, SYSTEM_CLOCK } from './clock.ts';
import { readFailures } from './failures.ts';
import { ApiError } from './http/api-error.ts';
import { Exchange } from './http/exchange.ts';
import { buildRoutes, findRoute, isGuarded, type Routes } from './http/routes.ts';
import { resolveSettings } from './settings.ts';
import { type Crash, Sim } from './sim.ts';

export interface SimServerOptions {
  /** Arguments as after `vllm serve`. */
  args: readonly string[];
  env?: Environment;
  clock?: SimClock;
  random?: () => number;
  log?: (line: string) => void;
  /** What ends the process; the default closes the server with all connections. */
  exit?: (code: number, crash?: Crash) => void;
}

/** vLLM's watchdog looks every 5 s whether the core still lives. */
const WATCHDOG_MS = 5000;
/** Time for responses to be sent once the engine is done. */
const FLUSH_MS = 1000;

export class SimServer {
  readonly sim: Sim;
  readonly #routes: Routes;
  readonly #keys: Buffer[];
  #server: Server | undefined;

  constructor(options: SimServerOptions) {
    const env = options.env ?? {};
    const settings = resolveSettings(parseArguments(options.args), env);
    this.sim = new Sim(settings, readFailures(env), {
      clock: options.clock ?? SYSTEM_CLOCK,
      random: options.random ?? Math.random,
      log: options.log ?? (() => {}),
      crash: (kind) => this.#crash(kind, options.exit ?? (() => this.#destroy())),
    });
    this.#routes = buildRoutes(settings);
    this.#keys = settings.apiKeys.map(sha256);
  }

  /** Port in use, once listening. */
  get port(): number {
    return (this.#server?.address() as AddressInfo | null)?.port ?? 0;
  }

  /** Base URL without a path. A server on all addresses is reached by 127.0.0.1. */
  get url(): string {
    const { host, tls } = this.sim.settings;
    const name = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
    return `${tls === undefined ? 'http' : 'https'}://${name.includes(':') ? `[${name}]` : name}:${this.port}`;
  }

  /** Starts to listen where the settings say. Rejects when the address is taken. */
  async listen(): Promise<void> {
    const { host, port, uds, tls, keepAliveSeconds } = this.sim.settings;
    const handle = (request: IncomingMessage, response: ServerResponse): void => {
      void this.#handle(request, response);
    };
    const server = tls === undefined ? createServer(handle) : await createTlsServer(tls, handle);
    this.#server = server;
    server.keepAliveTimeout = keepAliveSeconds * 1000;
    server.requestTimeout = 0;
    server.headersTimeout = 0;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      const ready = (): void => {
        server.off('error', reject);
        resolve();
      };
      if (uds === undefined) {
        server.listen(port, host, 4096, ready);
      } else {
        server.listen(uds, ready);
      }
    });
  }

  /**
   * What SIGTERM does: with a shutdown timeout, running and waiting requests go on until it is over, while new ones
   * fail; without one, everything in flight is aborted at once. Resolves when the socket is closed.
   */
  async shutdown(): Promise<void> {
    const { sim } = this;
    if (sim.status === 'serving') {
      sim.status = 'draining';
    }
    const timeout = sim.settings.shutdownTimeout;
    if (timeout === 0) {
      sim.abortAll();
      await this.#close(FLUSH_MS);
      return;
    }
    const count = sim.running + sim.waiting;
    if (count > 0) {
      sim.log(`Draining ${count} in-flight requests (timeout=${timeout}s)`);
    }
    const waiting = new AbortController();
    await Promise.race([
      sim.whenIdle(),
      pause(sim.clock, timeout * 1000, waiting.signal).catch(() => undefined),
    ]);
    waiting.abort();
    const idle = sim.running + sim.waiting === 0;
    await this.#close(idle ? FLUSH_MS : 0);
  }

  /** Ends at once with all connections. */
  async close(): Promise<void> {
    this.sim.abortAll();
    await this.#close(0);
  }

  async #close(graceMs: number): Promise<void> {
    const server = this.#server;
    if (server === undefined || !server.listening) {
      return;
    }
    const cancel = this.sim.clock.after(graceMs, () => server.closeAllConnections());
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeIdleConnections();
    });
    cancel();
  }

  #destroy(): void {
    this.#server?.close();
    this.#server?.closeAllConnections();
  }

  #crash(kind: Crash, exit: (code: number, crash?: Crash) => void): void {
    const { sim } = this;
    if (kind !== 'oom') {
      exit(kind === 'kill' ? 137 : 1, kind);
      return;
    }
    sim.log('EngineCore encountered a fatal error.');
    sim.log('torch.OutOfMemoryError: CUDA out of memory.');
    sim.die();
    if (!sim.settings.keepAliveOnEngineDeath) {
      sim.clock.after(WATCHDOG_MS * sim.settings.timing.scale, () => exit(1, kind));
    }
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { sim } = this;
    const started = sim.clock.now();
    response.setHeader('server', 'uvicorn');
    response.setHeader('vary', 'Origin');
    response.setHeader('x-vllm-sim-pod', sim.settings.podName ?? `${sim.settings.host}:${this.port}`);
    const exchange = new Exchange(sim, request, response);
    const control = exchange.path.startsWith('/sim/');
    if (sim.failures.hang && !control) {
      return;
    }
    if (sim.settings.requestIdHeaders) {
      response.setHeader('x-request-id', exchange.id);
    }
    sim.load += 1;
    response.once('close', () => {
      sim.load -= 1;
      this.#observe(exchange, started);
    });
    try {
      await this.#answer(exchange, control);
    } catch (cause) {
      this.#fail(exchange, cause);
    }
  }

  async #answer(exchange: Exchange, control: boolean): Promise<void> {
    const { sim } = this;
    const method = exchange.request.method ?? 'GET';
    if (!control && method === 'POST') {
      sim.record(exchange.request);
    }
    if (isGuarded(exchange.path) && method !== 'OPTIONS' && !this.#authorized(exchange.request)) {
      exchange.json(401, { error: 'Unauthorized' });
      return;
    }
    this.#injectFailure(control || method === 'GET');
    const path = exchange.path.startsWith(sim.settings.rootPath)
      ? exchange.path.slice(sim.settings.rootPath.length)
      : exchange.path;
    const route = findRoute(this.#routes, path);
    if (route === undefined) {
      if (path.endsWith('/') && findRoute(this.#routes, path.slice(0, -1)) !== undefined) {
        this.#redirect(exchange);
        return;
      }
      exchange.json(404, { detail: 'Not Found' });
      return;
    }
    const handler = route.get(method);
    if (handler === undefined) {
      exchange.response.setHeader('allow', [...route.keys()].join(', '));
      exchange.json(405, { detail: 'Method Not Allowed' });
      return;
    }
    await handler(exchange);
  }

  /** FastAPI redirects a path with a trailing slash to the path without it. */
  #redirect({ request, response }: Exchange): void {
    const [path = '', query] = (request.url ?? '/').split('?', 2);
    const target = `http://${request.headers.host}${path.slice(0, -1)}${query === undefined ? '' : `?${query}`}`;
    response.writeHead(307, { 'content-length': 0, location: target });
    response.end();
  }

  #injectFailure(exempt: boolean): void {
    const { unavailable, errorRate, errorStatus } = this.sim.failures;
    if (exempt) {
      return;
    }
    if (unavailable) {
      throw new ApiError(503, 'Service Unavailable', 'Service Unavailable');
    }
    if (errorRate > 0 && this.sim.random() < errorRate) {
      const type = errorStatus === 500 ? 'InternalServerError' : (STATUS_CODES[errorStatus] ?? 'Error');
      throw new ApiError(errorStatus, type, 'Injected failure');
    }
  }

  #authorized(request: IncomingMessage): boolean {
    if (this.#keys.length === 0) {
      return true;
    }
    const [, token] = /^bearer (.*)$/i.exec(request.headers.authorization ?? '') ?? [];
    return token !== undefined && this.#keys.some((key) => timingSafeEqual(key, sha256(token)));
  }

  #fail(exchange: Exchange, cause: unknown): void {
    const { response } = exchange;
    if (response.headersSent) {
      response.destroy();
      return;
    }
    if (cause instanceof ApiError) {
      exchange.json(cause.status, cause.body());
      return;
    }
    // A client that went away while sending its body is not our failure.
    if (!exchange.request.complete) {
      response.destroy();
      return;
    }
    this.sim.log(`ERROR ${cause instanceof Error ? cause.stack : String(cause)}`);
    exchange.json(500, new ApiError(500, 'InternalServerError', 'Internal server error').body());
  }

  #observe(exchange: Exchange, started: number): void {
    const { sim } = this;
    const { request, response } = exchange;
    const handler = this.#routes.has(exchange.path) ? exchange.path : 'none';
    const method = request.method ?? 'GET';
    sim.httpMetrics.observe(handler, method, response.statusCode, (sim.clock.now() - started) / 1000);
    if (sim.settings.accessLog && !sim.settings.quietEndpoints.includes(exchange.path)) {
      const { remoteAddress, remotePort } = request.socket;
      const status = `${response.statusCode} ${STATUS_CODES[response.statusCode] ?? ''}`;
      sim.log(`INFO:     ${remoteAddress}:${remotePort} - "${method} ${request.url} HTTP/1.1" ${status}`);
    }
  }
}

/**
 * An engine in this process, listening: for tests that need many engines or streams cheaply. Give `--port 0` for a
 * port of the system's choice. It is ready at once; nothing of the start-up is simulated.
 */
export async function createSimServer(options: SimServerOptions): Promise<SimServer> {
  const server = new SimServer(options);
  await server.listen();
  return server;
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

async function createTlsServer(
  tls: { keyFile: string; certFile: string },
  handle: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<Server> {
  const https = await import('node:https');
  return https.createServer({ key: readFileSync(tls.keyFile), cert: readFileSync(tls.certFile) }, handle);
}
