import { createServer, type Server } from 'node:net';
import { AddressPool } from '../network/address-pool.ts';

const LOCK_PORT = 61_998;
const FIRST_BLOCK = 16;
const PAIRS = 117;

/**
 * Two blocks of the loopback network for one cluster: 127.<n>.0.0/16 for pods, and the one after it for Services. Other clusters on the machine, in this process or
 * another, get other blocks: a listening socket holds them, which the system gives back however we end.
 */
export class AddressRange {
  readonly #lock: Server;
  readonly #block: number;
  /** Addresses of pods. */
  readonly pods: AddressPool;

  private constructor(lock: Server, block: number) {
    this.#lock = lock;
    this.#block = block;
    this.pods = new AddressPool(`127.${block}.0.0/16`);
    this.pods.reserve(this.hostIp);
  }

  /** Throws an Error when every block is taken. */
  static async claim(random: () => number = Math.random): Promise<AddressRange> {
    const start = Math.floor(random() * PAIRS);
    for (let i = 0; i < PAIRS; i++) {
      const block = FIRST_BLOCK + 2 * ((start + i) % PAIRS);
      const lock = await tryListen(`127.${block}.0.1`, LOCK_PORT);
      if (lock) return new AddressRange(lock, block);
    }
    throw new Error('no free block of addresses in 127.0.0.0/8: close other clusters');
  }

  /** Address of the node agent itself, outside both ranges. */
  get hostIp(): string {
    return `127.${this.#block}.0.1`;
  }

  /** Range for ClusterIPs. */
  get serviceCidr(): string {
    return `127.${this.#block + 1}.0.0/16`;
  }

  /** Gives the block back. */
  async close(): Promise<void> {
    await new Promise<void>((resolve) => this.#lock.close(() => resolve()));
  }
}

async function tryListen(host: string, port: number): Promise<Server | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<Server | undefined>();
  const server = createServer((socket) => socket.destroy());
  server.once('error', (error: NodeJS.ErrnoException) =>
    error.code === 'EADDRINUSE' ? resolve(undefined) : reject(error),
  );
  server.listen(port, host, () => resolve(server.unref()));
  return promise;
}
