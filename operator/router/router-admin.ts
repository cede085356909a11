/** Client of the admin protocol of the routers. */
import type { Dispatcher } from 'undici';
import { z } from 'zod';
import { deadline } from '../kube/abort.ts';
import { type Clock, systemClock } from '../kube/clock.ts';
import type { CertificateAndKey } from '../pki/certificates.ts';
import { type DemandReport, demandReport, routeVersion, type UsageReport, usageReport } from './protocol.ts';
import type { RouteChange } from './route-change.ts';
import type { RouteTable } from './route-table.ts';
import { RouterAdminError, type RouterAdminErrorCode } from './router-admin-error.ts';
import { RouterConnection } from './router-connection.ts';
import type { RouterEndpoint } from './router-endpoints.ts';

/**
 * How long a router may take to respond, in addition to the requested wait. It reads a table of 5,000 models in well under
 * a second.
 */
const ANSWER_TIMEOUT_MS = 5_000;

/** A demand report has about 150 bytes per model, and a router has slots for 16,384 (counters.lua). */
const MAX_DEMAND_BYTES = 4 * 1024 * 1024;

/** A batch has at most 8,000 pairs of a model and a tenant (usage_counts.lua), of about 500 bytes at most. */
const MAX_USAGE_BYTES = 4 * 1024 * 1024;

/** Limit of a response with a version or an error. */
const MAX_ANSWER_BYTES = 64 * 1024;

/** Longest part of a router's message to quote. */
const MAX_MESSAGE = 200;

const versionAnswer = z.object({ version: routeVersion });
const errorAnswer = z.object({ error: z.object({ message: z.string() }) });

/** One client for all pools and routers. Connections are opened on demand and reused. */
export class RouterAdmin {
  readonly #certificate: (signal: AbortSignal) => Promise<CertificateAndKey>;
  readonly #clock: Clock;
  readonly #connections = new Map<string, RouterConnection>();
  /** A table is sent to many routers, so it is serialized once. */
  readonly #texts = new WeakMap<RouteTable, string>();

  constructor(options: {
    /** The operator's client certificate. Called for every request, so it should be cached (CertificateRotator). */
    certificate: (signal: AbortSignal) => Promise<CertificateAndKey>;
    clock?: Clock;
  }) {
    this.#certificate = options.certificate;
    this.#clock = options.clock ?? systemClock;
  }

  /**
   * Makes a router load a table. Resolves once it runs it.
   * @throws {RouterAdminError} `Superseded` if the router runs a newer one; the signal's reason if the caller aborts.
   */
  async putRoutes(endpoint: RouterEndpoint, table: RouteTable, signal: AbortSignal): Promise<void> {
    await this.#sendRoutes(endpoint, { method: 'PUT', body: this.#text(table) }, table.version, signal);
  }

  /**
   * Applies a change to the table of a router. Resolves once it runs the result.
   * @throws {RouterAdminError} `OtherBase` if it runs another table; otherwise like `putRoutes`.
   */
  async patchRoutes(endpoint: RouterEndpoint, change: RouteChange, signal: AbortSignal): Promise<void> {
    const body = JSON.stringify(change);
    await this.#sendRoutes(endpoint, { method: 'PATCH', body }, change.version, signal);
  }

  async #sendRoutes(
    endpoint: RouterEndpoint,
    request: { method: 'PUT' | 'PATCH'; body: string },
    sent: number,
    signal: AbortSignal,
  ): Promise<void> {
    const sending = { ...request, path: '/routes', maxBytes: MAX_ANSWER_BYTES };
    const answer = await this.#send(endpoint, sending, 0, signal);
    const { version } = this.#read(endpoint, versionAnswer, answer);
    if (version !== sent)
      throw this.#error(endpoint, 'Malformed', `runs version ${version}, not the one sent`);
  }

  /**
   * The demand at a router. Responds at once if a request was held after `since`, else after `waitMs`.
   * @throws {RouterAdminError}; the signal's reason if the caller aborts.
   */
  async demand(
    endpoint: RouterEndpoint,
    { since, waitMs }: { since: number; waitMs: number },
    signal: AbortSignal,
  ): Promise<DemandReport> {
    const path = `/demand?since=${since}&wait=${Math.round(waitMs)}ms`;
    const asking = { method: 'GET', path, maxBytes: MAX_DEMAND_BYTES } as const;
    return this.#read(endpoint, demandReport, await this.#send(endpoint, asking, waitMs, signal));
  }

  /**
   * What a router counted after a batch, which it then forgets; 0 gets a batch again that was not confirmed so.
   * @throws {RouterAdminError}; the signal's reason if the caller aborts.
   */
  async usage(endpoint: RouterEndpoint, after: number, signal: AbortSignal): Promise<UsageReport> {
    const asking = { method: 'GET', path: `/usage?after=${after}`, maxBytes: MAX_USAGE_BYTES } as const;
    return this.#read(endpoint, usageReport, await this.#send(endpoint, asking, 0, signal));
  }

  /** Closes the connections to a removed router. */
  async forget(endpoint: RouterEndpoint): Promise<void> {
    const connection = this.#connections.get(endpoint.id);
    this.#connections.delete(endpoint.id);
    await connection?.close();
  }

  /** Aborts all requests and closes all connections. */
  async close(): Promise<void> {
    const connections = [...this.#connections.values()];
    this.#connections.clear();
    await Promise.all(connections.map((connection) => connection.close()));
  }

  async #send(
    endpoint: RouterEndpoint,
    request: { method: 'GET' | 'PUT' | 'PATCH'; path: string; body?: string; maxBytes: number },
    waitMs: number,
    signal: AbortSignal,
  ): Promise<{ status: number; text: string }> {
    const timeoutMs = waitMs + ANSWER_TIMEOUT_MS;
    const certificate = await this.#ownCertificate(endpoint, signal);
    const limit = deadline(signal, timeoutMs, this.#clock, () =>
      this.#error(
        endpoint,
        'Timeout',
        `no response to ${request.method} ${request.path} within ${timeoutMs} ms`,
      ),
    );
    try {
      const { statusCode, body } = await this.#pool(endpoint, certificate).request({
        method: request.method,
        path: request.path,
        ...(request.body !== undefined && {
          body: request.body,
          headers: { 'content-type': 'application/json' },
        }),
        signal: limit.signal,
        headersTimeout: 0,
        bodyTimeout: 0,
      });
      const text = await readText(body, request.maxBytes);
      if (text !== undefined) return { status: statusCode, text };
      throw this.#error(endpoint, 'Malformed', `its response is longer than ${request.maxBytes} bytes`);
    } catch (error) {
      if (limit.signal.aborted) throw limit.signal.reason;
      if (error instanceof RouterAdminError) throw error;
      throw this.#error(endpoint, 'Unreachable', describe(error), error);
    } finally {
      limit.dispose();
    }
  }

  async #ownCertificate(endpoint: RouterEndpoint, signal: AbortSignal): Promise<CertificateAndKey> {
    try {
      return await this.#certificate(signal);
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      throw this.#error(endpoint, 'NoCertificate', `no client certificate: ${describe(error)}`, error);
    }
  }

  #pool(endpoint: RouterEndpoint, certificate: CertificateAndKey): Dispatcher {
    let connection = this.#connections.get(endpoint.id);
    if (!connection) {
      connection = new RouterConnection(endpoint);
      this.#connections.set(endpoint.id, connection);
    }
    return connection.pool(certificate);
  }

  #text(table: RouteTable): string {
    let text = this.#texts.get(table);
    if (text === undefined) {
      text = JSON.stringify(table);
      this.#texts.set(table, text);
    }
    return text;
  }

  #read<T>(endpoint: RouterEndpoint, schema: z.ZodType<T>, answer: { status: number; text: string }): T {
    const json = parseJson(answer.text);
    if (answer.status === 200) {
      const result = schema.safeParse(json);
      if (result.success) return result.data;
      throw this.#error(
        endpoint,
        'Malformed',
        `its response is invalid: ${firstIssue(result.error).slice(0, MAX_MESSAGE)}`,
      );
    }
    const newer = versionAnswer.safeParse(json);
    if (answer.status === 409 && newer.success) {
      throw this.#error(
        endpoint,
        'Superseded',
        `runs a newer table, ${newer.data.version}`,
        undefined,
        newer.data.version,
      );
    }
    // A router of an earlier operator version does not support changes.
    if (answer.status === 412 || answer.status === 405)
      throw this.#error(endpoint, 'OtherBase', 'needs the whole table');
    const said = errorAnswer.safeParse(json);
    const code = answer.status === 401 ? 'Unauthorized' : 'Rejected';
    const reason = said.success ? said.data.error.message : answer.text;
    throw this.#error(endpoint, code, `HTTP ${answer.status}: ${reason.slice(0, MAX_MESSAGE)}`);
  }

  #error(
    endpoint: RouterEndpoint,
    code: RouterAdminErrorCode,
    message: string,
    cause?: unknown,
    newerVersion?: number,
  ): RouterAdminError {
    return new RouterAdminError({
      code,
      router: `${endpoint.name} (${endpoint.address})`,
      message,
      ...(newerVersion !== undefined && { newerVersion }),
      ...(cause !== undefined && { cause }),
    });
  }
}

/** Reads a whole body. Returns undefined and stops reading if it exceeds `maxBytes`. */
async function readText(body: AsyncIterable<Uint8Array>, maxBytes: number): Promise<string | undefined> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of body) {
    length += chunk.length;
    if (length > maxBytes) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

/** The first of possibly thousands. */
function firstIssue({ issues }: z.ZodError): string {
  return z.prettifyError(new z.ZodError(issues.slice(0, 1)));
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
