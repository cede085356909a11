/** A small API server over real HTTP whose every answer a test can replace: storage, list with pages, watch, and faults. */
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { KubeClient } from '../../../../operator/kube/client.ts';
import { connectionTo } from '../../../../operator/kube/connection.ts';
import type { KubeObject, ResourceType } from '../../../../operator/kube/object.ts';
import { collectionPath } from '../../../../operator/kube/resource-path.ts';
import { Transport, type TransportOptions } from '../../../../operator/kube/transport.ts';
import { MiniStore, type Recorded, type StoredEvent } from './mini-store.ts';

/** What to answer instead: a status with headers and body, silence, or a broken connection. */
export type Fault =
  | { status: number; headers?: Record<string, string>; body?: string }
  | { hang: true }
  | { reset: true }
  | { lines: string[]; ending: 'end' | 'reset' | 'hang' };

interface Watch {
  collection: string;
  response: ServerResponse;
}

export class MiniApi {
  readonly store = new MiniStore();
  readonly requests: Recorded[] = [];
  /** Called before each answer; what it returns replaces that. */
  fault: (request: Recorded) => Fault | undefined = () => undefined;
  /** Whether an expired watch is told so in an event, as a watch cache does, or by status 410. */
  expireByEvent = true;
  connections = 0;
  readonly #server: Server;
  readonly #watches = new Set<Watch>();
  readonly #sockets = new Set<Socket>();

  private constructor() {
    this.#server = createServer((request, response) => {
      this.#handle(request, response).catch((error: unknown) => response.destroy(error as Error));
    });
    this.#server.on('connection', (socket) => {
      this.connections++;
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
    this.store.onEvent = (event) => this.#publish(event);
  }

  static async start(): Promise<MiniApi> {
    const api = new MiniApi();
    await new Promise<void>((resolve) => api.#server.listen(0, '127.0.0.1', resolve));
    return api;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  transport(options: Partial<TransportOptions> = {}): Transport {
    return new Transport({ connection: connectionTo({ server: this.url }), ...options });
  }

  client(options: Partial<TransportOptions> = {}): KubeClient {
    return new KubeClient(this.transport(options), { fieldManager: 'test' });
  }

  get openWatches(): number {
    return this.#watches.size;
  }

  get openSockets(): number {
    return this.#sockets.size;
  }

  /** Requests so far but for lists and watches of caches. */
  get writes(): Recorded[] {
    return this.requests.filter(({ method }) => method !== 'GET');
  }

  /** Ends all watches: in good order, or by a reset. */
  dropWatches(how: 'end' | 'reset'): void {
    for (const { response } of this.#watches) {
      if (how === 'end') {
        response.end();
      } else {
        response.socket?.resetAndDestroy();
      }
    }
    this.#watches.clear();
  }

  sendLine(line: string): void {
    for (const { response } of this.#watches) {
      response.write(`${line}\n`);
    }
  }

  /** Tells all watches of a type how far the server has got. */
  bookmark(type: ResourceType): void {
    const object = {
      kind: type.kind,
      apiVersion: 'v1',
      metadata: { resourceVersion: String(this.store.version) },
    };
    this.#send(collectionPath(type), { type: 'BOOKMARK', object });
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) {
      socket.destroy();
    }
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', this.url);
    let body = '';
    for await (const chunk of request.setEncoding('utf8')) {
      body += chunk;
    }
    const recorded: Recorded = {
      method: request.method ?? '',
      path: url.pathname,
      query: url.searchParams,
      headers: request.headers,
      body,
    };
    this.requests.push(recorded);
    const fault = this.fault(recorded);
    if (fault !== undefined) {
      misbehave(fault, response);
      return;
    }
    if (url.searchParams.get('watch')) {
      this.#watch(recorded, response);
      return;
    }
    const { status, object } = this.store.answer(recorded);
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(object));
  }

  #watch({ path, query }: Recorded, response: ServerResponse): void {
    const from = Number(query.get('resourceVersion') ?? 0);
    if (from < this.store.compactedTo) {
      const status = { kind: 'Status', code: 410, reason: 'Expired', message: 'too old resource version' };
      if (this.expireByEvent) {
        response.writeHead(200).end(`${JSON.stringify({ type: 'ERROR', object: status })}\n`);
      } else {
        response.writeHead(410).end(JSON.stringify(status));
      }
      return;
    }
    response.writeHead(200, { 'content-type': 'application/json' }).flushHeaders();
    const watch = { collection: path, response };
    for (const event of this.store.eventsAfter(path, from)) {
      response.write(`${JSON.stringify(event)}\n`);
    }
    this.#watches.add(watch);
    response.on('close', () => this.#watches.delete(watch));
  }

  #publish(event: StoredEvent): void {
    this.#send(event.collection, { type: event.type, object: event.object });
  }

  #send(collection: string, event: { type: string; object: unknown }): void {
    for (const watch of this.#watches) {
      if (watch.collection === collection) {
        watch.response.write(`${JSON.stringify(event)}\n`);
      }
    }
  }
}

function misbehave(fault: Fault, response: ServerResponse): void {
  if ('hang' in fault) {
    return;
  }
  if ('reset' in fault) {
    response.socket?.resetAndDestroy();
    return;
  }
  if ('status' in fault) {
    response.writeHead(fault.status, fault.headers).end(fault.body ?? '');
    return;
  }
  response.writeHead(200, { 'content-type': 'application/json' });
  response.write(fault.lines.map((line) => `${line}\n`).join(''), () => {
    if (fault.ending === 'reset') {
      response.socket?.resetAndDestroy();
    } else if (fault.ending === 'end') {
      response.end();
    }
  });
}

/** A config map as a test writes it. */
export function configMap(name: string, data: Record<string, string> = {}, metadata: object = {}): ConfigMap {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'default', ...metadata }, data };
}

export interface ConfigMap extends KubeObject {
  data?: Record<string, string>;
}

/** An owner as the server would return it. */
export function ownerNamed(name: string): KubeObject {
  return {
    apiVersion: 'example.com/v1',
    kind: 'Widget',
    metadata: { name, namespace: 'default', uid: randomUUID(), resourceVersion: '1', generation: 1 },
  };
}
