/** What a hostile client can do with frames of HTTP/2. */
import { Agent, request } from 'undici';
import { describe, expect, test } from 'vitest';
import { model, table } from '../../support/route-table.ts';
import {
  connectFrames,
  END_HEADERS,
  END_STREAM,
  FRAME,
  frame,
  type Http2Connection,
  headerBlock,
} from './support/http2-frames.ts';
import { perTest } from './support/per-test.ts';
import { tlsSecret } from './support/tls-secret.ts';

const INITIAL_WINDOW_SIZE = 4;
const MOST = 8;

describe('HTTP/2', () => {
  const { start, keep } = perTest();
  const connectTo = async (address: string, values = {}): Promise<Http2Connection> => {
    const connection = await connectFrames(address, values);
    keep({ close: async () => void connection.socket.destroy() });
    return connection;
  };
  const ask = (stream: number, path: string, more: readonly (readonly [string, string])[] = []) => {
    const usual = [
      [':method', 'GET'],
      [':scheme', 'https'],
      [':path', path],
      [':authority', 'router'],
    ] as const;
    return frame(FRAME.headers, END_STREAM | END_HEADERS, stream, headerBlock([...usual, ...more]));
  };
  const streamsOf = ({ frames }: Http2Connection, wanted: number) =>
    frames.filter(({ type }) => type === wanted).map(({ stream }) => stream);

  test('requests whose answers nobody takes are limited in number, and further ones end and leave no memory', async () => {
    const router = await start({
      table: table([model('m', [])], { auth: 'APIKey' }),
      maxStreams: MOST,
      env: { VLLM_ROUTER_TLS: keep(await tlsSecret()).directory },
    });
    const hostile = await connectTo(router.address, { [INITIAL_WINDOW_SIZE]: 0 });
    const paths = [
      '/health',
      '/v1/models',
      '/ping',
      '/v1/./completions',
      '/x',
      '/health',
      '/v1/models',
      '/x',
    ];
    hostile.send(...paths.map((path, i) => ask(2 * i + 1, path)));
    const refused = [...paths, '/v1/completions'].map((path, i) => ({ path, stream: 2 * (MOST + i) + 1 }));
    hostile.send(...refused.map(({ path, stream }) => ask(stream, path)));
    await expect
      .poll(() => streamsOf(hostile, FRAME.reset), { message: 'all above the limit end' })
      .toEqual(refused.map(({ stream }) => stream));

    const agent = new Agent({ allowH2: false, connect: { rejectUnauthorized: false } });
    keep({ close: async () => await agent.destroy() });
    const health = `${router.url.replace('http:', 'https:')}/health`;
    const answer = await request(health, { dispatcher: agent });
    expect(answer.statusCode).toBe(200);
    await answer.body.dump();

    hostile.socket.destroy();
    await expect
      .poll(
        async () => {
          const other = await connectTo(router.address);
          other.send(ask(1, '/health'));
          await expect
            .poll(() => streamsOf(other, FRAME.headers).length + streamsOf(other, FRAME.reset).length)
            .toBe(1);
          return streamsOf(other, FRAME.headers);
        },
        { message: 'the streams of a closed connection are free again' },
      )
      .toEqual([1]);
  });
});
