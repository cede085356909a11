/** A way to Redis on which a test decides what arrives when. */
import { connect, createServer, type Socket } from 'node:net';
import type { RouteRedis } from '../../../../operator/router/route-table.ts';
import type { Redis } from './redis.ts';
import { loopbackAddress } from './router.ts';

export interface RedisProxy {
  settings: RouteRedis;
  close(): Promise<void>;
}

/** What becomes of the bytes of one connection, in both directions. */
export interface Passage {
  fromClient(data: Buffer): void;
  fromRedis(data: Buffer): void;
}

/** Starts one. `open` is called for each connection. */
export async function startRedisProxy(
  redis: Redis,
  open: (client: Socket, server: Socket) => Passage,
): Promise<RedisProxy> {
  const host = loopbackAddress();
  const sockets = new Set<Socket>();
  const listener = createServer({ noDelay: true }, (client) => {
    const server = connect(redis.settings.port, redis.settings.host);
    for (const socket of [client, server]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => sockets.delete(socket));
    }
    const passage = open(client, server);
    client.on('data', (data) => passage.fromClient(data));
    server.on('data', (data) => passage.fromRedis(data));
  });
  await new Promise<void>((resolve) => listener.listen(0, host, resolve));
  const { port } = listener.address() as { port: number };
  return {
    settings: { ...redis.settings, host, port },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      listener.close();
    },
  };
}
