/** The server under load: sends requests over as many connections as are open at once. */
import { type Dispatcher, Pool } from 'undici';
import type { Clock } from '../kube/clock.ts';
import { AnswerReader, TOO_LONG, type Usage } from './answer-reader.ts';
import type { LoadPlan } from './load-plan.ts';
import { API_PATHS, requestBody } from './request-body.ts';
import type { LoadRequest } from './request-source.ts';

const CONNECT_TIMEOUT_MS = 10_000;

/** Bytes of the body of an error that are read for its message. */
const MAX_ERROR_BYTES = 4096;

/** How a request ended. Times are of the clock's monotonic time. */
export interface Outcome {
  endMs: number;
  /** First and last event with text; absent without a stream. */
  firstTokenMs?: number;
  lastTokenMs?: number;
  usage?: Usage;
  /** It waited at the router for an engine to start. */
  coldStart: boolean;
  /** It came from the response cache of the router. */
  cacheHit: boolean;
  /** Kind of the failure, absent if it was answered completely. */
  failure?: string;
  /** What the server said about the failure. */
  message?: string;
}

export interface Observer {
  /** The time between two events with text. */
  gap(ms: number): void;
  end(outcome: Outcome): void;
}

/** Base URL to which paths of the API are appended: without `v1`, query and credentials. */
export function baseUrl(url: string): URL {
  const base = new URL(url);
  base.pathname = `${base.pathname.replace(/\/(v1\/?)?$/, '')}/`;
  base.username = base.password = base.search = base.hash = '';
  return base;
}

export class HttpTarget {
  readonly #pool: Pool;
  readonly #plan: LoadPlan;
  readonly #clock: Clock;
  readonly #path: string;
  readonly #headers: Record<string, string>;

  constructor(plan: LoadPlan, clock: Clock) {
    const base = baseUrl(plan.url);
    this.#plan = plan;
    this.#clock = clock;
    this.#path = base.pathname + API_PATHS[plan.api];
    this.#headers = {
      'content-type': 'application/json',
      ...(plan.apiKey !== undefined && { authorization: `Bearer ${plan.apiKey}` }),
    };
    // Time is limited by the request's own timer. HTTP/1.1, as the router speaks it.
    this.#pool = new Pool(base.origin, {
      allowH2: false,
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: { timeout: CONNECT_TIMEOUT_MS },
    });
  }

  /** Sends a request and returns at once. `dueMs` is when it had to be sent: its timeout counts from then. */
  send(request: LoadRequest, dueMs: number, observer: Observer): void {
    const exchange = new Exchange(request, dueMs, {
      observer,
      clock: this.#clock,
      timeoutMs: this.#plan.timeoutSeconds * 1000,
    });
    this.#pool.dispatch(
      {
        path: this.#path,
        method: 'POST',
        headers: this.#headers,
        body: requestBody(this.#plan, request),
      },
      exchange,
    );
  }

  /** Ends all requests that are open, and closes all connections. */
  async close(): Promise<void> {
    await this.#pool.destroy();
  }
}

interface ExchangeOptions {
  observer: Observer;
  clock: Clock;
  timeoutMs: number;
}

/** One request and its answer. */
class Exchange implements Dispatcher.DispatchHandler {
  readonly #request: LoadRequest;
  readonly #observer: Observer;
  readonly #clock: Clock;
  readonly #cancelTimeout: () => void;
  #controller: Dispatcher.DispatchController | undefined;
  #reader: AnswerReader | undefined;
  #status = 0;
  #error = '';
  #first: number | undefined;
  #last: number | undefined;
  #coldStart = false;
  #cacheHit = false;
  readonly #timeout: Error;
  #timedOut = false;

  constructor(request: LoadRequest, dueMs: number, { observer, clock, timeoutMs }: ExchangeOptions) {
    this.#request = request;
    this.#observer = observer;
    this.#clock = clock;
    this.#timeout = new Error(`no complete answer within ${timeoutMs / 1000} s`);
    this.#cancelTimeout = clock.setTimeout(
      () => {
        this.#timedOut = true;
        this.#controller?.abort(this.#timeout);
      },
      Math.max(0, dueMs + timeoutMs - clock.monotonic()),
    );
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#timedOut) controller.abort(this.#timeout);
  }

  onResponseStart(
    _: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    this.#status = status;
    this.#coldStart = /(^|[, ])hold\b/.test(String(headers['server-timing'] ?? ''));
    this.#cacheHit = headers['x-cache'] === 'HIT';
    if (status !== 200) return;
    this.#reader = new AnswerReader({
      streams: String(headers['content-type'] ?? '').startsWith('text/event-stream'),
      collects: this.#request.answered !== undefined,
      onText: () => this.#onText(),
    });
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#reader) {
      this.#reader.read(chunk);
      if (this.#reader.failure === TOO_LONG) controller.abort(new Error(TOO_LONG));
    } else if (this.#error.length < MAX_ERROR_BYTES) {
      this.#error += chunk.toString();
    }
  }

  onResponseEnd(): void {
    this.#reader?.end();
    this.#end(this.#reader ? this.#reader.failure : `status-${this.#status}`, this.#error);
  }

  onResponseError(_: unknown, error: Error & { code?: string }): void {
    const known = this.#timedOut ? 'timeout' : this.#reader?.failure;
    this.#end(known ?? failureOf(error, this.#status), error.message);
  }

  #onText(): void {
    const now = this.#clock.monotonic();
    if (this.#last === undefined) this.#first = now;
    else this.#observer.gap(now - this.#last);
    this.#last = now;
  }

  #end(failure: string | undefined, message: string): void {
    this.#cancelTimeout();
    const usage = this.#reader?.usage;
    this.#request.answered?.(failure === undefined ? this.#reader?.text : undefined);
    this.#observer.end({
      endMs: this.#clock.monotonic(),
      ...(this.#first !== undefined && { firstTokenMs: this.#first }),
      ...(this.#last !== undefined && { lastTokenMs: this.#last }),
      ...(usage && { usage }),
      coldStart: this.#coldStart,
      cacheHit: this.#cacheHit,
      ...(failure !== undefined && { failure, message }),
    });
  }
}

/** Kind of a failure below HTTP: `connect-…` if no connection came about, else `connection-…`. */
function failureOf({ code }: { code?: string }, status: number): string {
  const name = code === 'UND_ERR_CONNECT_TIMEOUT' ? 'timeout' : /^E[A-Z]{2,20}$/.exec(code ?? '')?.[0];
  if (status === 200) return 'cut';
  const connects = code === 'ECONNREFUSED' || code === 'ENOTFOUND' || code === 'UND_ERR_CONNECT_TIMEOUT';
  return `${connects ? 'connect' : 'connection'}-${name?.toLowerCase() ?? 'lost'}`;
}
