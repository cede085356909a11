/** A router's admin server as the protocol describes it, without nginx: for faults that nginx cannot be made to show. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { CertificateAndKey } from '../../../../operator/pki/certificates.ts';
import type { RouteChange } from '../../../../operator/router/route-change.ts';
import type { RouteTable } from '../../../../operator/router/route-table.ts';
import type { RouterEndpoint } from '../../../../operator/router/router-endpoints.ts';

export class FakeRouter {
  readonly #tls: { server: CertificateAndKey; clientCa: string };
  #server: ReturnType<typeof createServer> | undefined;
  readonly #sockets = new Set<Socket>();
  #port = 0;
  readonly #polls = new Set<() => void>();
  readonly id: string;

  /** Tables in the order in which they were applied. */
  applied: RouteTable[] = [];
  /** Requests that arrived, such as `PUT /routes`. */
  requests: string[] = [];
  /** Serial numbers of the client certificates. */
  clients = new Set<string>();
  seq = 1;
  demand: Record<string, object> = {};
  /** Answers the next requests instead of the protocol. */
  intercept: ((request: IncomingMessage, response: ServerResponse) => boolean | Promise<boolean>) | undefined;

  constructor(id: string, tls: { server: CertificateAndKey; clientCa: string }) {
    this.id = id;
    this.#tls = tls;
  }

  get endpoint(): RouterEndpoint {
    return {
      id: this.id,
      name: `router-${this.id}`,
      address: `127.0.0.1:${this.#port}`,
      ready: true,
      stopping: false,
    };
  }

  get version(): number {
    return this.applied.at(-1)?.version ?? 0;
  }

  /** Starts, or starts anew at the same port with nothing in memory. */
  async start(server: CertificateAndKey = this.#tls.server): Promise<this> {
    this.applied = [];
    this.seq = 1;
    const listening = createServer(
      {
        cert: server.certificatePem,
        key: server.privateKeyPem,
        ca: this.#tls.clientCa,
        requestCert: true,
        rejectUnauthorized: true,
      },
      (request, response) => void this.#handle(request, response),
    );
    this.#server = listening;
    listening.on('secureConnection', (socket) => {
      this.clients.add(socket.getPeerCertificate().serialNumber);
    });
    listening.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
    await new Promise<void>((resolve) => listening.listen(this.#port, '127.0.0.1', resolve));
    this.#port = (listening.address() as AddressInfo).port;
    return this;
  }

  /** Stops at once, as a killed process would. */
  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    for (const poll of this.#polls) poll();
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => (server ? server.close(() => resolve()) : resolve()));
  }

  /** A request is held for a model. */
  hold(uid: string): void {
    this.seq += 1;
    this.demand[uid] = { inFlight: 0, held: 1, queued: 0, ageMs: 0 };
    for (const poll of this.#polls) poll();
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '', 'https://router');
    this.requests.push(`${request.method} ${url.pathname}`);
    if (await this.intercept?.(request, response)) return;
    if (request.method === 'PUT' && url.pathname === '/routes') await this.#put(request, response);
    else if (request.method === 'PATCH' && url.pathname === '/routes') await this.#patch(request, response);
    else if (request.method === 'GET' && url.pathname === '/demand') await this.#poll(url, response);
    else send(response, 404, { error: { message: 'Not Found' } });
  }

  async #put(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const table = (await read(request)) as RouteTable;
    if (table.version < this.version) {
      send(response, 409, { version: this.version, error: { message: 'older' } });
      return;
    }
    this.applied.push(table);
    send(response, 200, { version: table.version });
  }

  async #patch(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { from, version, models, removed } = (await read(request)) as RouteChange;
    const base = this.applied.at(-1);
    if (!base || base.version !== from) {
      send(response, 412, { version: this.version, error: { message: 'another base' } });
      return;
    }
    const byUid = new Map(base.models.map((model) => [model.uid, model]));
    for (const uid of removed) byUid.delete(uid);
    for (const model of models) byUid.set(model.uid, model);
    this.applied.push({ ...base, version, models: [...byUid.values()] });
    send(response, 200, { version });
  }

  async #poll(url: URL, response: ServerResponse): Promise<void> {
    const wait = Number(/^(\d+)ms$/.exec(url.searchParams.get('wait') ?? '')?.[1]);
    if (Number(url.searchParams.get('since')) === this.seq) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(() => done(), wait);
        const done = () => {
          clearTimeout(timer);
          this.#polls.delete(done);
          resolve();
        };
        this.#polls.add(done);
      });
    }
    send(response, 200, {
      seq: this.seq,
      version: this.version,
      models: this.demand,
    });
  }
}

async function read(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return JSON.parse(Buffer.concat(chunks).toString());
}

function send(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
