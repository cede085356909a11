import { createServer, type Server } from 'node:net';

const LOCK_PORT = 61_998;
const FIRST_BLOCK = 16;
const PAIRS = 117;
const PODS = { first: 0x0100, last: 0xffff };

/**
 * Two blocks of the loopback network for one cluster: 127.<n>.0.0/16 for pods, and the one after it for Services. Other clusters on the machine, in this process or
 * another, get other blocks: a listening socket holds them, which the system gives back however we end.
 */
export class AddressRange {
  readonly #lock: Server;
  readonly #block: number;
  readonly #used = new Set<number>();
  #next = PODS.first;

  private constructor(lock: Server, block: number) {
    this.#lock = lock;
    this.#block = block;
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

  /** An address that has not been used for as long as possible. Throws an Error when none is free. */
  allocate(): string {
    for (let tried = PODS.first; tried <= PODS.last; tried++) {
      const candidate = this.#next;
      this.#next = candidate === PODS.last ? PODS.first : candidate + 1;
      const lowByte = candidate & 0xff;
      if (lowByte === 0 || lowByte === 255 || this.#used.has(candidate)) continue;
      this.#used.add(candidate);
      return `127.${this.#block}.${candidate >> 8}.${lowByte}`;
    }
    throw new Error(`all pod addresses of 127.${this.#block}.0.0/16 are in use`);
  }

  release(address: string): void {
    const [, , high, low] = address.split('.').map(Number);
    if (high !== undefined && low !== undefined) this.#used.delete((high << 8) | low);
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
