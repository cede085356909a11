/** Bounds the connections of a server that anybody in the cluster can reach. */
import type { Server, Socket } from 'node:net';

export interface ConnectionLimits {
  /** Connections at once; those beyond are refused. */
  total: number;
  /** Of one address, so that one client leaves room for others. */
  perAddress: number;
}

/** Applies to connections from now on. Call it before the server has listeners of its own for them. */
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
