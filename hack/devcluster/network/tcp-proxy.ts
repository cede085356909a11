import { connect, createServer, type Server, type Socket } from 'node:net';

/** Where a connection goes to. */
export interface Backend {
  host: string;
  port: number;
}

/**
 * Listens on one address and port and passes each connection on to one of the backends, chosen at random. While there
 * is no backend it does not listen, so that connections are refused, as kube-proxy refuses them. Half-closed
 * connections stay open; connections to a backend that is removed are not closed.
 */
export class TcpProxy {
  readonly #listen: Backend;
  readonly #random: () => number;
  readonly #onError: (error: Error) => void;
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;
  #backends: readonly Backend[] = [];
  #closed = false;

  /** @param options.onError the address cannot be listened on */
  constructor(options: { listen: Backend; onError: (error: Error) => void; random?: () => number }) {
    this.#listen = options.listen;
    this.#onError = options.onError;
    this.#random = options.random ?? Math.random;
  }

  /** Takes effect for new connections. */
  setBackends(backends: readonly Backend[]): void {
    this.#backends = backends;
    if (this.#closed) return;
    if (backends.length === 0) this.#stopListening();
    else if (!this.#server) this.#startListening();
  }

  /** Stops listening and ends all connections. */
  async close(): Promise<void> {
    this.#closed = true;
    const server = this.#server;
    this.#server = undefined;
    const closed = server ? new Promise<void>((resolve) => server.close(() => resolve())) : undefined;
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #startListening(): void {
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => this.#accept(client));
    this.#server = server;
    server.on('error', (error) => {
      if (this.#server !== server) return;
      this.#server = undefined;
      this.#onError(error);
    });
    server.listen({ ...this.#listen, backlog: 4096 });
  }

  #stopListening(): void {
    this.#server?.close();
    this.#server = undefined;
  }

  #accept(client: Socket): void {
    const first = Math.floor(this.#random() * this.#backends.length);
    this.#track(client);
    client.pause();
    this.#dial(client, first, this.#backends.length);
  }

  /** Tries the backends in turn: one of them may have just stopped. */
  #dial(client: Socket, index: number, attempts: number): void {
    const backend = this.#backends[index % Math.max(1, this.#backends.length)];
    if (!backend || attempts <= 0) {
      client.resetAndDestroy();
      return;
    }
    const upstream = connect({ ...backend, allowHalfOpen: true, noDelay: true });
    this.#track(upstream);
    const failed = (): void => {
      upstream.destroy();
      if (!client.destroyed) this.#dial(client, index + 1, attempts - 1);
    };
    upstream.once('error', failed);
    upstream.once('connect', () => {
      upstream.off('error', failed);
      if (client.destroyed) {
        upstream.destroy();
        return;
      }
      join(client, upstream);
      join(upstream, client);
    });
    client.once('close', () => upstream.destroy());
  }

  #track(socket: Socket): void {
    this.#sockets.add(socket);
    // Every reason for an error also closes the socket, and then its peer.
    socket.on('error', () => undefined);
    socket.once('close', () => this.#sockets.delete(socket));
  }
}

/** One direction; the end of one side ends only that direction, a failure resets the other side. */
function join(from: Socket, to: Socket): void {
  from.pipe(to);
  from.once('close', (failed) => {
    if (failed) to.resetAndDestroy();
  });
}
