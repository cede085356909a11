import { connect, createServer } from 'node:net';
import { describe, expect, test } from 'vitest';
import { model, table } from '../../support/route-table.ts';
import { perTest } from './support/per-test.ts';
import { loopbackAddress, type Router } from './support/router.ts';
import { openStream } from './support/stream.ts';

describe('engines that want more than to answer', () => {
  const { engine, start, keep } = perTest();
  const ask = async (router: Router, name = 'm') =>
    await fetch(`${router.url}/v1/completions`, {
      method: 'POST',
      body: JSON.stringify({ model: name }),
      redirect: 'manual',
    });
  const idle = async (router: Router) =>
    await expect.poll(async () => (await router.demand()).models['uid-m']?.inFlight).toBe(0);
  /** An engine that sends bytes of its own for each request. */
  const raw = async (answer: string) => {
    const host = loopbackAddress();
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => socket.write(answer));
    });
    await new Promise<void>((resolve) => server.listen(0, host, resolve));
    const { port } = server.address() as { port: number };
    keep({ close: async () => void server.close() });
    return `${host}:${port}`;
  };

  test.each(['/tokenizer_info?model=n', '@last', '@redispatch', '/v1/models'])(
    'cannot send a request elsewhere in the router: %s',
    async (target) => {
      const [hostile, other] = [await engine(), await engine()];
      hostile.answer = (_, reply) => {
        reply.writeHead(200, {
          'x-accel-redirect': target,
          'x-accel-limit-rate': '1',
          'x-accel-expires': '9',
        });
        reply.end('{"mine":true}'.padEnd(2000));
      };
      const router = await start({
        table: table([model('m', [hostile.address]), model('n', [other.address], { namespace: 'team-b' })]),
      });
      for (let i = 0; i < 3; i += 1) {
        const answer = await ask(router);
        expect(await answer.json()).toEqual({ mine: true });
        expect([...answer.headers.keys()].filter((name) => name.startsWith('x-accel'))).toEqual([]);
      }
      expect([hostile.requests.length, other.requests.length]).toEqual([3, 0]);
      await idle(router);
    },
  );

  test('may say much in a header, as embeddings as bytes do, but not without end', async () => {
    const upstream = await engine();
    let bytes = 0;
    upstream.answer = (_, reply) => {
      reply.writeHead(200, { metadata: 'x'.repeat(bytes) });
      reply.end('{"mine":true}');
    };
    const router = await start({ table: table([model('m', [upstream.address])]) });
    const embed = async (size: number) => {
      bytes = size;
      return await fetch(`${router.url}/v1/embeddings`, {
        method: 'POST',
        body: JSON.stringify({ model: 'm', input: ['a'], encoding_format: 'bytes' }),
      });
    };
    for (const size of [9_000, 15_000]) {
      const answer = await embed(size);
      expect([answer.status, answer.headers.get('metadata')?.length]).toEqual([200, size]);
    }
    for (let i = 0; i < 4; i += 1) {
      const answer = await embed(70_000);
      expect(answer.status).toBe(502);
      expect(await answer.text()).toContain('the header of its answer is larger than 32 KiB');
    }
    // Sent once each, and the engine, which works, is not left out for it.
    expect(upstream.requests.length).toBe(6);
    expect((await embed(100)).status).toBe(200);
    expect(await router.metrics()).not.toContain('vllm_router_ejections_total{');
    await idle(router);
  });

  test('cannot say anything about the host that they share, or of later requests to it', async () => {
    const upstream = await engine();
    const about = {
      'set-cookie': 'session=stolen',
      'alt-svc': 'h3="evil.example:443"',
      'strict-transport-security': 'max-age=99999999',
      'clear-site-data': '"*"',
      refresh: '0;url=https://evil.example',
      link: '<https://evil.example>; rel=preload',
      nel: '{}',
      'report-to': '{}',
      'service-worker-allowed': '/',
      'x-cache': 'HIT',
      'accept-ch': 'Sec-CH-UA-Model',
      'critical-ch': 'Sec-CH-UA-Model',
      'expect-ct': 'max-age=9',
      'set-login': 'logged-in',
      'use-as-dictionary': 'match="/*"',
      'proxy-authenticate': 'Basic realm="password"',
      'www-authenticate': 'Basic realm="password"',
      'x-degraded': 'max_tokens=1',
    };
    upstream.answer = (_, reply) => reply.writeHead(200, { ...about, 'x-own': 'passes' }).end('{}');
    const router = await start({ table: table([model('m', [upstream.address])]) });
    const { headers } = await ask(router);
    expect(Object.keys(about).filter((name) => headers.has(name))).toEqual([]);
    expect(headers.get('x-own')).toBe('passes');
  });

  test('cannot have a browser run on the host that they share what they write', async () => {
    const upstream = await engine();
    let type: string | string[] | undefined;
    upstream.answer = (_, reply) => {
      if (type) reply.setHeader('content-type', type);
      reply.writeHead(200).end('<script>fetch("/v1/models")</script>');
    };
    const cache = { enabled: true, ttlSeconds: 60, policy: 'All' as const };
    const router = await start({ table: table([model('m', [upstream.address], { cache })]) });
    const plain = 'application/octet-stream';
    for (const [said, passed] of [
      ['text/html', plain],
      ['TEXT/HTML;charset=utf-8', `${plain}; charset=utf-8`],
      ['image/svg+xml', plain],
      ['application/xhtml+xml', plain],
      ['application/json, text/html', plain],
      ['multipart/x-mixed-replace; boundary=x', plain],
      ['text/plain', 'text/plain'],
      ['audio/wav', 'audio/wav'],
      ['application/json', 'application/json'],
      ['application/json; charset=utf-8', 'application/json; charset=utf-8'],
      ['text/event-stream; charset=utf-8', 'text/event-stream; charset=utf-8'],
      [undefined, plain],
    ] as const) {
      type = said;
      const answer = await ask(router);
      expect([said, answer.headers.get('content-type')]).toEqual([said, passed]);
      expect(answer.headers.get('x-content-type-options'), said).toBe('nosniff');
      const info = await fetch(`${router.url}/tokenizer_info?model=m`);
      expect([said, info.headers.get('content-type')]).toEqual([said, passed]);
    }
  });

  test.each([301, 302, 303, 307, 308, 304])('cannot send a client elsewhere: %i', async (status) => {
    const upstream = await engine();
    upstream.answer = (_, reply) => reply.writeHead(status, { location: 'https://evil.example/v1' }).end();
    const router = await start({ table: table([model('m', [upstream.address])]) });
    const answer = await ask(router);
    expect(answer.status).toBe(502);
    expect(answer.headers.get('location')).toBeNull();
    expect(await answer.json()).toMatchObject({
      error: { message: 'The engine answered with a redirect, which routers neither follow nor pass on.' },
    });
    await idle(router);
  });

  test.each([
    ['a header without end', `HTTP/1.1 200 OK\r\n${'x: y\r\n'.repeat(20_000)}`],
    ['an answer of another protocol', 'SSH-2.0-OpenSSH_9.2\r\n'],
    [
      'a switch of protocols',
      'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n',
    ],
  ])('%s leaves nothing behind', async (_, answer) => {
    const router = await start({ readTimeout: '1s', table: table([model('m', [await raw(answer)])]) });
    const socket = connect(8080, router.address);
    socket.on('error', () => undefined);
    socket.write('POST /v1/completions HTTP/1.1\r\nHost: m\r\nContent-Length: 13\r\n\r\n{"model":"m"}');
    let text = '';
    socket.on('data', (data) => {
      text += data;
    });
    await expect.poll(() => text !== '', { message: 'there is an answer' }).toBe(true);
    expect(text).not.toContain('SSH');
    socket.destroy();
    await idle(router);
  });

  test.each([
    ['a request that asks for none', 'POST /v1/completions', 'Content-Length: 13\r\n\r\n{"model":"m"}'],
    [
      'one that does, on a path without',
      'POST /v1/completions',
      'Upgrade: x\r\nConnection: Upgrade\r\nContent-Length: 13\r\n\r\n{"model":"m"}',
    ],
    [
      'one whose header is empty',
      'POST /v1/completions',
      'Upgrade:\r\nConnection: Upgrade\r\nContent-Length: 13\r\n\r\n{"model":"m"}',
    ],
    ['a websocket without its header', 'GET /v1/realtime?model=m', '\r\n'],
  ])('cannot answer %s with a switch of protocols, and others behind it', async (_, line, rest) => {
    const answer =
      'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\nPOISON';
    const router = await start({ readTimeout: '1s', table: table([model('m', [await raw(answer)])]) });
    const socket = connect(8080, router.address);
    socket.on('error', () => undefined);
    socket.write(`${line} HTTP/1.1\r\nHost: m\r\n${rest}`);
    let text = '';
    socket.on('data', (data) => {
      text += data;
    });
    await expect.poll(() => text.includes('}}'), { message: 'there is an answer' }).toBeTruthy();
    expect(text).toMatch(/^HTTP\/1\.1 502 /);
    expect(text).not.toContain('POISON');
    socket.destroy();
    await idle(router);
  });

  test('an event that does not end is passed on, and not collected', async () => {
    const upstream = await engine();
    const router = await start({ table: table([model('m', [upstream.address])]) });
    const stream = await openStream(router.url, { model: 'm' });
    const piece = 'data: {"usage":'.repeat(1000);
    for (let i = 0; i < 100; i += 1) for (const open of upstream.streams) open.write(piece);
    await expect
      .poll(() => stream.text().length > piece.length * 90, { message: 'most of it is there' })
      .toBe(true);
    upstream.push('{"choices":[],"usage":{"prompt_tokens":1}}');
    upstream.push('{"choices":[1]}');
    upstream.push('{"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":5}}');
    upstream.finish();
    expect(await stream.ended).toBe('complete');
    expect(stream.text().slice(-60)).toMatch(/data: \{"choices":\[1\]\}\n\ndata: \[DONE\]\n\n$/);
    await expect
      .poll(async () => (await router.metrics()).includes('kind="completion"} 5\n'), {
        message: 'its usage is read',
      })
      .toBeTruthy();
  });
});
