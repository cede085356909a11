import { EventLines } from './event-lines.ts';

/** An object of the API, for reading answers in tests. */
export interface Obj {
  [key: string]: unknown;
  apiVersion: string;
  kind: string;
  metadata: {
    name: string;
    namespace?: string;
    uid: string;
    resourceVersion: string;
    generation?: number;
    deletionTimestamp?: string;
    deletionGracePeriodSeconds?: number;
    finalizers?: string[];
    ownerReferences?: unknown[];
    labels?: Record<string, string>;
    continue?: string;
  };
  spec: Record<string, unknown>;
  status: Record<string, unknown>;
  items: Obj[];
}

/** An answer of the server. */
export interface Answer {
  status: number;
  body: Obj;
}

const MERGE = 'application/merge-patch+json';

/** A small client over plain HTTP, for tests that look at single requests. */
export class Api {
  readonly #base: string;
  readonly #headers: Record<string, string>;

  constructor(base: string, headers: Record<string, string> = {}) {
    this.#base = base;
    this.#headers = headers;
  }

  /** The same server as another user. */
  as(user: string): Api {
    return new Api(this.#base, { ...this.#headers, 'Impersonate-User': user });
  }

  async send(method: string, path: string, body?: unknown, type = 'application/json'): Promise<Answer> {
    const response = await fetch(this.#base + path, {
      method,
      headers: { ...this.#headers, ...(body === undefined ? {} : { 'Content-Type': type }) },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, body: (text.startsWith('{') ? JSON.parse(text) : { text }) as Obj };
  }

  /** Sends and expects success. */
  async ok(method: string, path: string, body?: unknown, type?: string): Promise<Obj> {
    const answer = await this.send(method, path, body, type);
    if (answer.status >= 300)
      throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
  }

  get(path: string): Promise<Obj> {
    return this.ok('GET', path);
  }

  create(path: string, body: unknown): Promise<Obj> {
    return this.ok('POST', path, body);
  }

  merge(path: string, body: unknown): Promise<Obj> {
    return this.ok('PATCH', path, body, MERGE);
  }

  /** Opens a watch; it ends with the signal. */
  async watch(path: string, signal: AbortSignal): Promise<{ status: number; lines: EventLines }> {
    const response = await fetch(this.#base + path, { signal, headers: this.#headers });
    return { status: response.status, lines: new EventLines(response) };
  }

  /** Makes a namespace and returns its path under `/api/v1`. */
  async namespace(name: string): Promise<string> {
    await this.create('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
    return `/api/v1/namespaces/${name}`;
  }
}

/** A ConfigMap to be created. */
export function configMap(
  name: string,
  rest: Record<string, unknown> = {},
  metadata: Record<string, unknown> = {},
): unknown {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, ...metadata }, ...rest };
}
