/** Limits the connections of a server that anyone in the cluster can reach. */
import type { Server, Socket } from 'node:net';

export interface ConnectionLimits {
  /** Most concurrent connections. Further ones are refused. */
  total: number;
  /** Most connections per address, so that one client cannot use up all. */
  perAddress: number;
}

/** Applies to new connections. Call it before the server gets other connection listeners. */
export function limitConnections(server: Server, { total, perAddress }: ConnectionLimits): void {
  const open = new Map<string, number>();
  server.maxConnections = total;
  server.prependListener('connection', (socket: Socket) => {
    const address = socket.remoteAddress ?? '';
    const others = open.get(address) ?? 0;
    if (others >= perAddress) {
      socket.destroy();
      return;
    }
    open.set(address, others + 1);
    socket.once('close', () => {
      const left = (open.get(address) ?? 1) - 1;
      if (left > 0) open.set(address, left);
      else open.delete(address);
    });
  });
}
