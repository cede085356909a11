/** HTTP for the kubelet and Prometheus: `/livez` (and `/healthz`), `/readyz`, `/metrics`. */
import {
  createServer,
  type Server as HttpServer,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Registry } from 'prom-client';
import { type Clock, sleep, systemClock } from './clock.ts';
import { limitConnections } from './limit-connections.ts';

/** Throws or rejects if the process is unhealthy. The message gives the reason. */
export type Check = () => void | Promise<void>;

export interface ProbeServerOptions {
  /** 0 selects a free port. */
  port: number;
  /** Default: all addresses. */
  host?: string;
  /** Whether the process is healthy. Must not depend on other processes. */
  livez?: Record<string, Check>;
  /** Whether the process can do its work. */
  readyz?: Record<string, Check>;
  registry?: Registry | undefined;
  clock?: Clock;
}

/** The kubelet and each Prometheus keep one or two. Without an enforced NetworkPolicy, others reach the port as well. */
const CONNECTIONS = { total: 512, perAddress: 16 };

/** A scrape of thousands of models blocks the event loop. The next one begins after this many times as long. */
const REST = 4;

interface Answer {
  status: number;
  body: string;
  type?: string;
}

export class ProbeServer {
  readonly name = 'probes';
  readonly #options: ProbeServerOptions;
  readonly #server: HttpServer;
  readonly #clock: Clock;
  readonly #stop = new AbortController();
  #scrape: Promise<string> | undefined;
  /** Resolves when the next scrape may begin. */
  #rested: Promise<void> = Promise.resolve();

  constructor(options: ProbeServerOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#server = createServer((request, response) => {
      this.#answer(request).then(
        (answer) => send(response, answer),
        (error: unknown) => send(response, { status: 500, body: `${messageOf(error)}\n` }),
      );
    });
    limitConnections(this.#server, CONNECTIONS);
  }

  /** The port in use; 0 before `start`. */
  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  /** Resolves once it listens. Rejects if the port is in use. */
  start(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(this.#options.port, this.#options.host, () => {
        this.#server.removeListener('error', reject);
        resolve();
      });
    });
  }

  stop(): Promise<void> {
    this.#stop.abort();
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  async #answer(request: IncomingMessage): Promise<Answer> {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return { status: 405, body: 'only GET\n' };
    }
    const { registry, livez = {}, readyz = {} } = this.#options;
    switch (URL.parse(request.url ?? '/', 'http://localhost')?.pathname) {
      case '/livez':
      case '/healthz':
        return runChecks(livez);
      case '/readyz':
        return runChecks(readyz);
      case '/metrics':
        return registry
          ? { status: 200, body: await this.#metrics(registry), type: registry.contentType }
          : { status: 404, body: 'no metrics\n' };
      default:
        return { status: 404, body: 'there are /livez, /readyz and /metrics\n' };
    }
  }

  /**
   * One scrape for all requests that came before it, in a fifth of the time. A packet can carry a thousand requests, and as
   * many scrapes would delay the Lease by seconds.
   */
  #metrics(registry: Registry): Promise<string> {
    this.#scrape ??= this.#rested.then(async () => {
      await nextTurn();
      this.#scrape = undefined;
      const began = this.#clock.monotonic();
      const text = registry.metrics();
      const rest = () => this.#rest(REST * (this.#clock.monotonic() - began));
      this.#rested = text.then(rest, rest);
      return text;
    });
    return this.#scrape;
  }

  /** Resolves after `ms`, or when the server stops. */
  async #rest(ms: number): Promise<void> {
    await sleep(ms, { clock: this.#clock, signal: this.#stop.signal }).catch(() => {});
  }
}

/** 200 or 500 with one line per check, like the probes of the API server. */
async function runChecks(checks: Record<string, Check>): Promise<Answer> {
  let status = 200;
  const lines: string[] = [];
  for (const [name, check] of Object.entries(checks)) {
    try {
      await check();
      lines.push(`[+]${name} ok`);
    } catch (error) {
      status = 500;
      lines.push(`[-]${name} failed: ${messageOf(error)}`);
    }
  }
  lines.push(status === 200 ? 'ok' : 'failed');
  return { status, body: `${lines.join('\n')}\n` };
}

function send(response: ServerResponse, { status, body, type = 'text/plain; charset=utf-8' }: Answer): void {
  response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' }).end(body);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
