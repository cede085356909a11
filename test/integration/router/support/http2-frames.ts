/** HTTP/2 as frames, which no client library touches: for what libraries never send. RFC 9113 and RFC 7541. */
import { connect, type TLSSocket } from 'node:tls';

export const FRAME = { data: 0, headers: 1, reset: 3, settings: 4, continuation: 9 } as const;

export const END_STREAM = 1;
export const END_HEADERS = 4;

export interface Frame {
  type: number;
  flags: number;
  stream: number;
  payload: Buffer;
}

export function frame(
  type: number,
  flags: number,
  stream: number,
  payload: Buffer = Buffer.alloc(0),
): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

function integer(value: number, bits: number): Buffer {
  const most = 2 ** bits - 1;
  if (value < most) return Buffer.from([value]);
  const bytes = [most];
  let rest = value - most;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  return Buffer.from([...bytes, rest]);
}

/** A block of headers, each literal and kept in no table. */
export function headerBlock(headers: readonly (readonly [string, string])[]): Buffer {
  return Buffer.concat(
    headers.flatMap(([name, value]) => {
      const [n, v] = [Buffer.from(name, 'latin1'), Buffer.from(value, 'latin1')];
      return [Buffer.from([0]), integer(n.length, 7), n, integer(v.length, 7), v];
    }),
  );
}

/** SETTINGS with identifiers and values. */
function settings(values: Record<number, number>): Buffer {
  return frame(
    FRAME.settings,
    0,
    0,
    Buffer.concat(
      Object.entries(values).map(([id, value]) => {
        const entry = Buffer.alloc(6);
        entry.writeUInt16BE(Number(id), 0);
        entry.writeUInt32BE(value, 2);
        return entry;
      }),
    ),
  );
}

export interface Http2Connection {
  socket: TLSSocket;
  /** All frames that have arrived. */
  frames: Frame[];
  send(...bytes: Buffer[]): void;
  /** Whether the other side has closed it. */
  closed(): boolean;
}

/** Connects to the clients' port of a router with TLS, and sends the preface and settings. */
export async function connectFrames(
  host: string,
  values: Record<number, number> = {},
): Promise<Http2Connection> {
  const socket = connect({ host, port: 8080, rejectUnauthorized: false, ALPNProtocols: ['h2'] });
  const frames: Frame[] = [];
  let rest = Buffer.alloc(0);
  let closed = false;
  socket.on('data', (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= 9) {
      const length = rest.readUIntBE(0, 3);
      if (rest.length < 9 + length) break;
      frames.push({
        type: rest[3] ?? 0,
        flags: rest[4] ?? 0,
        stream: rest.readUInt32BE(5),
        payload: rest.subarray(9, 9 + length),
      });
      rest = rest.subarray(9 + length);
    }
  });
  socket.on('close', () => {
    closed = true;
  });
  await new Promise<void>((resolve, reject) => {
    socket.once('secureConnect', resolve);
    socket.once('error', reject);
  });
  socket.on('error', () => {
    closed = true;
  });
  const send = (...bytes: Buffer[]) => {
    if (!closed) socket.write(Buffer.concat(bytes));
  };
  send(Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), settings(values));
  return { socket, frames, send, closed: () => closed };
}
