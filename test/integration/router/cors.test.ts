/** Browsers: preflights and what pages of other origins may read. */
import { createHash } from 'node:crypto';
import { request } from 'undici';
import { describe, expect, test } from 'vitest';
import type { RouteCors, RouteTable } from '../../../operator/router/route-table.ts';
import { model, table } from '../../support/route-table.ts';
import { perTest } from './support/per-test.ts';
import { startRedis } from './support/redis.ts';
import type { Router } from './support/router.ts';
import { openStream } from './support/stream.ts';

const APP = 'https://app.example.com';
const key = { authorization: 'Bearer a' };

describe('cross-origin requests', () => {
  const { engine, start, keep } = perTest();
  const setUp = async (cors: Partial<RouteCors> | undefined, more: Partial<RouteTable> = {}) => {
    const upstream = await engine();
    upstream.answer = (_, response) =>
      response
        .writeHead(200, { 'access-control-allow-origin': '*', 'access-control-expose-headers': 'x-engine' })
        .end('{}');
    const rules = { allowOrigins: [APP], allowCredentials: false, maxAge: 5, ...cors };
    const router = await start({
      maxBodySize: 1000,
      table: table([model('m', [upstream.address])], {
        auth: 'APIKey',
        keys: [{ sha256: createHash('sha256').update('a').digest('hex'), tenant: 'team-a' }],
        ...(cors && { cors: rules }),
        ...more,
      }),
    });
    return { upstream, router };
  };
  const ask = async (
    router: Router,
    headers: Record<string, string>,
    options: { path?: string; method?: 'GET' | 'POST' | 'OPTIONS'; body?: string | null } = {},
  ) => {
    const { path = '/v1/chat/completions', method = 'POST', body = '{"model":"m"}' } = options;
    const response = await request(router.url + path, { method, headers, body });
    return { status: response.statusCode, headers: response.headers, text: await response.body.text() };
  };
  const preflight = async (
    router: Router,
    origin: string,
    headers = 'authorization,content-type',
    path?: string,
  ) =>
    await ask(
      router,
      { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': headers },
      { method: 'OPTIONS', body: null, ...(path && { path }) },
    );
  const allowed = ({ headers }: { headers: Record<string, unknown> }) =>
    headers['access-control-allow-origin'];

  test('a preflight is answered without a key, and reaches no engine', async () => {
    const { router, upstream } = await setUp({});
    for (const path of ['/v1/chat/completions', '/v1/models', '/v1/models/m', '/v1/messages']) {
      const answer = await preflight(router, APP, 'authorization,content-type', path);
      expect(answer.status, path).toBe(204);
      expect(answer.text).toBe('');
      expect(answer.headers).toMatchObject({
        'access-control-allow-origin': APP,
        'access-control-allow-methods': 'GET, HEAD, POST',
        'access-control-allow-headers': 'authorization,content-type',
        'access-control-max-age': '5',
        vary: 'Origin',
      });
    }
    expect(upstream.requests).toEqual([]);
  });

  test('what the pool lists is what a preflight says', async () => {
    const { router } = await setUp({
      allowMethods: 'POST',
      allowHeaders: 'Authorization, Content-Type',
      allowCredentials: true,
      maxAge: 600,
    });
    expect((await preflight(router, APP)).headers).toMatchObject({
      'access-control-allow-methods': 'POST',
      'access-control-allow-headers': 'Authorization, Content-Type',
      'access-control-allow-credentials': 'true',
      'access-control-max-age': '600',
    });
  });

  test.each([
    [['*'], ['https://any.example.org', 'http://localhost:3000'], []],
    [
      [APP, 'http://localhost:3000'],
      [APP, 'http://localhost:3000'],
      ['https://example.com', 'http://localhost:3001', 'null'],
    ],
    [
      ['https://*.example.com'],
      ['https://a.example.com', 'https://a.b.example.com'],
      [
        'https://example.com',
        'https://.example.com',
        'http://a.example.com',
        'https://a.example.com.evil.org',
        'https://evil.org/.example.com',
        'https://evilexample.com',
        `https://${'a'.repeat(300)}.example.com`,
      ],
    ],
  ])('of the origins %j those that match may ask, and no others', async (allowOrigins, yes, no) => {
    const { router } = await setUp({ allowOrigins });
    for (const origin of yes) {
      const expected = allowOrigins[0] === '*' ? '*' : origin;
      expect(allowed(await preflight(router, origin)), origin).toBe(expected);
      expect(allowed(await ask(router, { ...key, origin })), origin).toBe(expected);
    }
    for (const origin of no) {
      const refused = await preflight(router, origin);
      expect([refused.status, allowed(refused)], origin).toEqual([403, undefined]);
      const answer = await ask(router, { ...key, origin });
      expect([answer.status, allowed(answer)], origin).toEqual([200, undefined]);
    }
  });

  test('answers of engines, streams, cached ones and errors of every kind have the header once', async () => {
    const store = keep(await startRedis());
    const { router, upstream } = await setUp({ exposeHeaders: 'X-Request-Id' }, { redis: store.settings });
    const cached = model('c', [upstream.address], {
      cache: { enabled: true, ttlSeconds: 60, policy: 'All' },
    });
    const routes = { auth: 'APIKey', redis: store.settings } as const;
    await router.put(
      table([model('m', [upstream.address]), cached], {
        ...routes,
        keys: [{ sha256: createHash('sha256').update('a').digest('hex'), tenant: 'team-a' }],
        cors: { allowOrigins: [APP], allowCredentials: false, exposeHeaders: 'X-Request-Id', maxAge: 5 },
      }),
    );
    const origin = APP;
    const fromCache = async () => await ask(router, { ...key, origin }, { body: '{"model":"c"}' });
    await expect
      .poll(async () => (await fromCache()).headers['x-cache'], { message: 'it is cached' })
      .toBe('HIT');
    for (const [status, answer] of [
      [200, await ask(router, { ...key, origin })],
      [200, await fromCache()],
      [200, await ask(router, { ...key, origin }, { path: '/v1/models', method: 'GET', body: null })],
      [401, await ask(router, { origin })],
      [404, await ask(router, { ...key, origin }, { path: '/nothing' })],
      [404, await ask(router, { ...key, origin }, { body: '{"model":"x"}' })],
      [413, await ask(router, { ...key, origin }, { body: ' '.repeat(1001) })],
      [400, await ask(router, { ...key, origin }, { body: 'x' })],
    ] as const) {
      expect(answer.status).toBe(status);
      expect(allowed(answer), String(status)).toBe(APP);
      expect(answer.headers['access-control-expose-headers']).toBe('X-Request-Id');
      expect(answer.headers.vary).toBe('Origin');
    }
    expect(allowed(await ask(router, key))).toBeUndefined();
  });

  test('a stream that has to wait has it too', async () => {
    const router = await start({
      limits: { commentAfterMs: 50 },
      table: table([model('m', [])], { cors: { allowOrigins: ['*'], allowCredentials: false, maxAge: 5 } }),
    });
    const stream = await openStream(router.url, { model: 'm' });
    expect(stream.headers['access-control-allow-origin']).toBeUndefined();
    const response = await request(`${router.url}/v1/completions`, {
      method: 'POST',
      headers: { origin: APP },
      body: '{"model":"m","stream":true}',
    });
    expect(response.headers['access-control-allow-origin']).toBe('*');
    stream.abort();
    response.body.destroy();
  });

  test('without the setting preflights are refused and what engines say passes', async () => {
    const { router } = await setUp(undefined);
    expect((await preflight(router, APP)).status).toBe(405);
    const answer = await ask(router, { ...key, origin: APP });
    expect(answer.headers).toMatchObject({
      'access-control-allow-origin': '*',
      'access-control-expose-headers': 'x-engine',
    });
    expect(answer.headers.vary).toBeUndefined();
  });
});
