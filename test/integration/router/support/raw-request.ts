/** Requests as bytes, which no client library touches. */
import { connect } from 'node:net';
import type { Router } from './router.ts';

/** Sends bytes as they are and returns all that comes back until the connection ends, or until `enough` says so. */
export async function raw(
  router: Router,
  text: string | Buffer,
  enough?: (answer: string) => boolean,
): Promise<string> {
  const socket = connect(8080, router.address);
  let answer = '';
  try {
    await new Promise<void>((resolve, reject) => {
      socket.on('data', (chunk: Buffer) => {
        answer += chunk.toString('latin1');
        if (enough?.(answer)) resolve();
      });
      socket.once('end', resolve);
      socket.once('error', reject);
      socket.write(text);
    });
  } finally {
    socket.destroy();
  }
  return answer;
}

/** A body that every engine takes. */
export const BODY = JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'hi' }] });

/** A request whose path is not touched by any client library. */
export function post(
  path: string,
  body: string | Buffer = BODY,
  headers: readonly string[] = ['Content-Type: application/json'],
): Buffer {
  const head = [
    `POST ${path} HTTP/1.1`,
    'Host: router',
    'Connection: close',
    `Content-Length: ${Buffer.byteLength(body)}`,
    ...headers,
  ];
  return Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), Buffer.from(body)]);
}

/** The status of an answer that `raw` returned. */
export const status = (answer: string): number => Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1]);
