/** Requests without a body whose model is in the query: what they bring along must not get around the rules for the others. */
import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { connect, createServer } from 'node:net';
import { describe, expect, test } from 'vitest';
import { model, table } from '../../support/route-table.ts';
import { connectFrames, END_HEADERS, END_STREAM, FRAME, frame, headerBlock } from './support/http2-frames.ts';
import { perTest } from './support/per-test.ts';
import { loopbackAddress } from './support/router.ts';
import { tlsSecret } from './support/tls-secret.ts';

describe('requests with the model in the query', () => {
  const { engine, start, keep } = perTest();
  const certificate = async () => keep(await tlsSecret()).directory;

  test.each([
    ['/tokenizer_info', 'Content-Length: 30000000'],
    ['/tokenizer_info', 'Transfer-Encoding: chunked'],
    ['/v1/realtime', 'Content-Length: 30000000'],
  ])('a body is refused, since nobody counts its bytes: %s with %s', async (path, header) => {
    const upstream = await engine();
    const router = await start({ table: table([model('m', [upstream.address])]), workers: 1 });
    const socket = connect(8080, router.address);
    keep({ close: async () => void socket.destroy() });
    socket.on('error', () => undefined);
    socket.write(`GET ${path}?model=m HTTP/1.1\r\nHost: router\r\n${header}\r\n\r\n`);
    const [answer] = await once(socket, 'data');
    expect(String(answer)).toMatch(/^HTTP\/1.1 400 /);
    expect(String(answer)).toContain('has no body');
    expect(upstream.requests).toEqual([]);
  });

  test('adapters are refused where vLLM answers with their base model', async () => {
    const upstream = await engine();
    const router = await start({ table: table([model('m', [upstream.address], { adapters: ['m-law'] })]) });
    const answer = await fetch(`${router.url}/v1/realtime?model=m-law`);
    expect(answer.status).toBe(400);
    expect(await answer.text()).toContain('name the base model');
    expect(upstream.requests).toEqual([]);
    expect((await fetch(`${router.url}/v1/realtime?model=m`)).status).toBe(200);
  });

  test.each(['/tokenizer_info?model=m#&model=other', '/tokenizer_info?model=m&x=#'])(
    'what follows a hash, which some engines read as a part of the query, is refused: %s',
    async (path) => {
      const upstream = await engine();
      const router = await start({ table: table([model('m', [upstream.address])]) });
      const request = get(new URL(router.url), { path });
      const [answer] = (await once(request, 'response')) as [IncomingMessage];
      answer.resume();
      expect(answer.statusCode).toBe(400);
      expect(upstream.requests).toEqual([]);
    },
  );

  test('a body of HTTP/2, which needs no header to come, is refused too', async () => {
    const upstream = await engine();
    const router = await start({
      table: table([model('m', [upstream.address])]),
      env: { VLLM_ROUTER_TLS: await certificate() },
    });
    const session = connectHttp2(router.url.replace('http:', 'https:'), { rejectUnauthorized: false });
    keep({ close: async () => session.destroy() });
    const get = async (body: string) => {
      const stream = session.request({ ':path': '/tokenizer_info?model=m' }, { endStream: body === '' });
      if (body !== '') stream.end(body);
      const [head] = await once(stream, 'response');
      stream.resume();
      return head[':status'];
    };
    expect(await get('x')).toBe(400);
    expect(upstream.requests).toEqual([]);
    expect(await get('')).toBe(200);
  });

  test('a connection of HTTP/2, which others may share, does not become a websocket', async () => {
    let asked = 0;
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => {
        asked += 1;
        socket.write(
          'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\nwritten by the engine',
        );
      });
    });
    const host = loopbackAddress();
    await new Promise<void>((resolve) => server.listen(0, host, resolve));
    keep({ close: async () => void server.close() });
    const { port } = server.address() as { port: number };
    const router = await start({
      table: table([model('m', [`${host}:${port}`])]),
      env: { VLLM_ROUTER_TLS: await certificate() },
    });
    const connection = await connectFrames(router.address);
    keep({ close: async () => void connection.socket.destroy() });
    const block = headerBlock([
      [':method', 'GET'],
      [':scheme', 'https'],
      [':path', '/v1/realtime?model=m'],
      [':authority', 'router'],
      ['upgrade', 'websocket'],
    ]);
    connection.send(frame(FRAME.headers, END_STREAM | END_HEADERS, 1, block));
    const received = () => connection.frames.map(({ payload }) => payload.toString('latin1')).join('');
    await expect.poll(received, { message: 'it is answered' }).toMatch(/by the engine|Websockets/);
    expect(received()).not.toContain('written by the engine');
    expect(received()).toContain('Websockets need HTTP');
    expect(asked).toBe(0);
  });
});
