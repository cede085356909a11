/** What a router refuses before it has read a request, and what it writes of it. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { model, rules, table } from '../../support/route-table.ts';
import { perTest } from './support/per-test.ts';
import { BODY, post, raw, status } from './support/raw-request.ts';

describe('errors before a request is read', () => {
  const { start } = perTest();

  test('headers that are too large get 431', async () => {
    const router = await start({ table: table([]) });
    const answer = await raw(
      router,
      `GET /v1/models HTTP/1.1\r\nHost: router\r\nX-Large: ${'x'.repeat(70_000)}\r\n\r\n`,
    );
    expect(status(answer)).toBe(431);
    expect(answer).toContain('header is too large');
  });

  test('lines of 15 KiB fit, but no three of them: each connection may have as much before anything is known of it', async () => {
    const router = await start({ table: table([]) });
    const large = (lines: number) =>
      `GET /v1/models HTTP/1.1\r\nHost: router\r\nConnection: close\r\n${`X-Large: ${'x'.repeat(15_000)}\r\n`.repeat(lines)}\r\n`;
    expect(status(await raw(router, large(2)))).toBe(200);
    const answer = await raw(router, large(3));
    expect(status(answer)).toBe(431);
    expect(answer).toContain('a line may have 16 KiB, all lines 32 KiB');
  });

  test('no input of clients is in the log of errors', async () => {
    const admission = rules({ maxQueue: 1, queueTimeoutMs: 300, wakeTimeoutMs: 300 });
    const router = await start({ table: table([model('m', ['127.0.0.1:1'], { admission })]) });
    await raw(router, 'GET / HTTP/9.9 secret-word\r\n\r\n');
    await raw(
      router,
      post('/v1/chat/completions?api_key=secret-word', BODY.replace('hi', 'x'.repeat(2_000_000))),
    );
    expect(router.errors()).not.toContain('secret-word');
    expect(router.errors()).not.toContain('uninitialized');
    expect(readFileSync(`${router.directory}/access.log`, 'utf8')).not.toContain('secret-word');
  });
});

describe('headers of clients', () => {
  const { engine, start } = perTest();
  const JSON_BODY = 'Content-Type: application/json';

  test.each(['/v1/chat/completions', '/v1/realtime?model=m'])(
    'those of one connection and those for others reach no engine: %s',
    async (path) => {
      const upstream = await engine();
      const router = await start({ table: table([model('m', [upstream.address])]) });
      const own = ['Cookie: sso=secret', 'Proxy-Authorization: Basic c2VjcmV0', 'TE: trailers'];
      const others = ['Keep-Alive: 5', 'Proxy-Connection: keep-alive', 'Trailer: X-Sum'];
      const lines = [JSON_BODY, ...own, ...others, 'X-Passed: yes'];
      const request = path.endsWith('=m')
        ? `GET ${path} HTTP/1.1\r\nHost: router\r\nConnection: close\r\n${lines.join('\r\n')}\r\n\r\n`
        : post(path, BODY, lines);
      await raw(router, request);
      const received = Object.keys(upstream.requests[0]?.headers ?? {});
      expect(received).toContain('x-passed');
      expect(received.filter((name) => /^(cookie|proxy-|te$|keep-alive|trailer)/.test(name))).toEqual([]);
    },
  );

  test.each([
    ['twice', ['Content-Encoding: identity', 'Content-Encoding: gzip']],
    ['twice, the other way round', ['Content-Encoding: gzip', 'Content-Encoding: identity']],
    ['in a list', ['Content-Encoding: identity, gzip']],
  ])('a body that is compressed is refused, said %s', async (_, lines) => {
    const upstream = await engine();
    const router = await start({ table: table([model('m', [upstream.address])]) });
    const answer = await raw(router, post('/v1/chat/completions', BODY, [JSON_BODY, ...lines]));
    expect(status(answer)).toBe(415);
    expect(upstream.requests).toEqual([]);
  });
});
