/** What HTTP says of shared caches (RFC 9111): whose answers they may keep, for whom, and with which header. */
import { createHash } from 'node:crypto';
import { request } from 'undici';
import { describe, expect, test } from 'vitest';
import { model, table } from '../../support/route-table.ts';
import type { Engine } from './support/engine.ts';
import { perTest } from './support/per-test.ts';
import { type Redis, startRedis } from './support/redis.ts';
import type { Router } from './support/router.ts';

describe('the response cache as a shared cache of HTTP', () => {
  const { engine, start, keep } = perTest();

  const cached = (upstream: Engine) =>
    model('m', [upstream.address], { cache: { enabled: true, ttlSeconds: 60, policy: 'All' } });
  const setUp = async () => {
    const [store, upstream] = [keep(await startRedis()), await engine()];
    const router = await start({
      workers: 1,
      table: table([cached(upstream)], { redis: store.settings }),
    });
    return { store, upstream, router };
  };
  const ask = async (
    router: Router,
    body: object,
    headers: Record<string, string> = {},
    path = '/v1/completions',
  ) => {
    const response = await request(router.url + path, {
      method: 'POST',
      body: JSON.stringify({ model: 'm', ...body }),
      headers: { 'content-type': 'application/json', ...headers },
    });
    return {
      status: response.statusCode,
      headers: response.headers,
      cache: response.headers['x-cache'],
      text: await response.body.text(),
    };
  };
  const entries = async (store: Redis) =>
    (await store.command('KEYS', 'vllm:answer:*')).split('\n').filter((key) => key && !key.endsWith(':lock'));
  const stored = async (store: Redis, n: number) =>
    await expect.poll(async () => (await entries(store)).length).toBe(n);

  test.each([
    ['Authorization', 'Bearer sekrit'],
    ['authorization', 'Basic eDp5'],
    ['x-api-key', 'sekrit'],
    ['api-key', 'sekrit'],
    ['X-Auth-Token', 'sekrit'],
    ['X-Amz-Security-Token', 'sekrit'],
    ['Cf-Access-Jwt-Assertion', 'sekrit'],
    ['X-Client-Secret', 'sekrit'],
  ])(
    'a request with %s, which the router did not check, is neither stored nor answered nor shared',
    async (name, value) => {
      const { store, upstream, router } = await setUp();
      const waiting: (() => void)[] = [];
      upstream.answer = (seen, response) =>
        void waiting.push(() => {
          response.statusCode = seen.headers[name.toLowerCase()] === undefined ? 401 : 200;
          response.end('{"private":1}');
        });
      const first = ask(router, { a: 1 }, { [name]: value });
      await expect.poll(() => waiting.length, { message: 'it is at the engine' }).toBe(1);
      const others = [ask(router, { a: 1 }), ask(router, { a: 1 }, { [name]: value })];
      await expect.poll(() => waiting.length, { message: 'the others are too' }).toBe(3);
      for (const answer of waiting) answer();
      expect(await first).toMatchObject({ status: 200, cache: 'BYPASS' });
      expect(await Promise.all(others)).toMatchObject([
        { status: 401, cache: 'MISS' },
        { status: 200, cache: 'BYPASS' },
      ]);
      expect(await entries(store)).toEqual([]);

      upstream.answer = (_, response) => response.end('{"public":1}');
      expect(await ask(router, { a: 2 })).toMatchObject({ cache: 'MISS' });
      await stored(store, 1);
      expect(await ask(router, { a: 2 }, { [name]: value })).toMatchObject({ cache: 'BYPASS' });
      expect(await ask(router, { a: 2 })).toMatchObject({ cache: 'HIT' });
    },
  );

  test.each([
    ['authorization', 'Bearer none'],
    ['authorization', 'Bearer EMPTY'],
    ['x-api-key', 'EMPTY'],
  ])('%s: %s, which SDKs send where there is no key, is none', async (name, value) => {
    const { store, router } = await setUp();
    expect(await ask(router, {}, { [name]: value })).toMatchObject({ cache: 'MISS' });
    await stored(store, 1);
    expect(await ask(router, {}, { [name]: value })).toMatchObject({ cache: 'HIT' });
    expect(await ask(router, {})).toMatchObject({ cache: 'HIT' });
    expect(await ask(router, {}, { [name]: `${value}1` })).toMatchObject({ cache: 'BYPASS' });
  });

  test('a request with more headers than are looked at is not cached', async () => {
    const { store, router } = await setUp();
    const many = Object.fromEntries(Array.from({ length: 120 }, (_, i) => [`x-h-${i}`, '1']));
    expect(await ask(router, {}, many)).toMatchObject({ cache: 'BYPASS' });
    expect(await entries(store)).toEqual([]);
  });

  test('what SDKs send beside credentials does not keep a request from the cache', async () => {
    const { store, router } = await setUp();
    const sdk = {
      'user-agent': 'OpenAI/JS 6.0.0',
      'x-stainless-retry-count': '0',
      'x-stainless-lang': 'js',
      'openai-organization': 'org',
      'anthropic-version': '2023-06-01',
      'idempotency-key': 'stainless-node-retry-1',
    };
    expect(await ask(router, {}, sdk)).toMatchObject({ cache: 'MISS' });
    await stored(store, 1);
    expect(await ask(router, {})).toMatchObject({ cache: 'HIT' });
  });

  test('an API key that the router has checked is no obstacle, credentials beside it are', async () => {
    const [store, upstream] = [keep(await startRedis()), await engine()];
    const sha256 = createHash('sha256').update('a').digest('hex');
    const router = await start({
      table: table([cached(upstream)], {
        redis: store.settings,
        auth: 'APIKey',
        keys: [{ sha256, tenant: 'team-a' }],
      }),
    });
    const key = { authorization: 'Bearer a' };
    expect(await ask(router, {}, key)).toMatchObject({ cache: 'MISS' });
    await stored(store, 1);
    expect(await ask(router, {}, key)).toMatchObject({ cache: 'HIT' });
    expect(await ask(router, {}, { ...key, cookie: 'a=b' })).toMatchObject({ cache: 'BYPASS' });
  });

  test('credentials in the query are those of one request', async () => {
    const { store, router } = await setUp();
    await ask(router, {}, {}, '/v1/completions?token=mine');
    await stored(store, 1);
    expect(await ask(router, {})).toMatchObject({ cache: 'MISS' });
    expect(await ask(router, {}, {}, '/v1/completions?token=other')).toMatchObject({ cache: 'MISS' });
    expect(await ask(router, {}, {}, '/v1/completions?token=mine')).toMatchObject({ cache: 'HIT' });
  });

  test.each([
    ['cache-control', 'no-store'],
    ['cache-control', 'Private, max-age=60'],
    ['cache-control', 'no-cache'],
    ['cache-control', 'max-age=0'],
    ['cache-control', 'max-age=60, s-maxage="0"'],
    ['set-cookie', 'a=b'],
    ['vary', '*'],
    ['vary', 'Accept-Encoding, X-User'],
  ])('an answer with %s: %s is not stored', async (name, value) => {
    const { store, upstream, router } = await setUp();
    upstream.answer = (_, response) => response.writeHead(200, { [name]: value }).end('{}');
    for (const n of [1, 2]) {
      const answer = await ask(router, {});
      expect(answer.cache, String(n)).toBe('MISS');
      expect(answer.headers[name]).toBe(name === 'set-cookie' ? undefined : value);
    }
    expect(await entries(store)).toEqual([]);
  });

  test('a response with Vary: Origin is cached, because vLLM sets it only for its CORS headers', async () => {
    const { store, upstream, router } = await setUp();
    upstream.answer = (_, response) => response.writeHead(200, { vary: 'Origin' }).end('{}');
    await ask(router, {});
    await stored(store, 1);
    expect(await ask(router, {})).toMatchObject({ cache: 'HIT' });
  });

  test('an engine may shorten the cache time of its response', async () => {
    const { store, upstream, router } = await setUp();
    upstream.answer = (_, response) =>
      response.writeHead(200, { 'cache-control': 'public, max-age=7', vary: 'accept-encoding' }).end('{}');
    await ask(router, {});
    await stored(store, 1);
    const ttl = Number(await store.command('TTL', (await entries(store))[0] ?? ''));
    expect(ttl).toBeGreaterThan(0);
    expect(ttl).toBeLessThanOrEqual(7);
  });

  test.each([
    ['private', { 'cache-control': 'private' }, '{'],
    ['too large', {}, 'x'.repeat(1_100_000)],
    ['an error', { ':status': 500 }, '{'],
  ])('those who wait for an answer go on at once when it is %s', async (_, header, begin) => {
    const { upstream, router } = await setUp();
    const open: (() => void)[] = [];
    upstream.answer = (_, response) => {
      const { ':status': status = 200, ...headers } = header as Record<string, number>;
      response.writeHead(status, headers);
      response.write(begin);
      open.push(() => response.end());
    };
    const first = ask(router, {});
    await expect.poll(() => open.length, { message: 'the first is at the engine' }).toBe(1);
    const second = ask(router, {});
    await expect.poll(() => open.length, { message: 'the second is too' }).toBe(2);
    for (const end of open) end();
    expect([(await first).cache, (await second).cache]).toEqual(['MISS', 'MISS']);
  });

  test('a cached answer keeps the header that its meaning depends on, and nothing of another exchange', async () => {
    const { store, upstream, router } = await setUp();
    const metadata = JSON.stringify({ data: [{ index: 0, start: 0, end: 12, shape: [3] }] });
    const bytes = Buffer.from([0, 255, 10, 13, 58, 32, 1, 2, 3, 4, 5, 6]);
    upstream.answer = (_, response) =>
      response
        .writeHead(200, {
          'content-type': 'application/octet-stream',
          metadata,
          'content-encoding': 'identity',
          'x-three': ['a', 'b', 'c'],
          'access-control-allow-origin': 'https://one.example.com',
          'x-request-id': 'of-the-engine',
          server: 'uvicorn',
          'keep-alive': 'timeout=5',
        })
        .end(bytes);
    const live = await ask(router, { encoding_format: 'bytes' }, {}, '/v1/embeddings');
    await stored(store, 1);
    const hit = await ask(router, { encoding_format: 'bytes' }, {}, '/v1/embeddings');
    expect(hit.cache).toBe('HIT');
    expect(hit.text).toBe(live.text);
    for (const name of ['content-type', 'metadata', 'content-encoding', 'x-three', 'content-length']) {
      expect(hit.headers[name], name).toEqual(live.headers[name] ?? String(bytes.length));
    }
    expect(hit.headers['access-control-allow-origin']).toBeUndefined();
    expect(hit.headers['x-request-id']).not.toBe(live.headers['x-request-id']);
  });

  test.each([
    ['x.meta', 'a'],
    ['a~content-type', 'text/plain'],
    ['x-empty', ''],
  ])('an answer with `%s: %s`, which would not come back as it was, is not stored', async (name, value) => {
    const { store, upstream, router } = await setUp();
    upstream.answer = (_, response) => response.writeHead(200, { [name]: value }).end('{}');
    for (const n of [1, 2]) {
      const answer = await ask(router, {});
      expect(answer.cache, String(n)).toBe('MISS');
      expect(answer.headers[name]).toBe(value);
    }
    expect(await entries(store)).toEqual([]);
  });

  test('names with `_` stay what they are, and conditions change nothing, as for every POST', async () => {
    const { store, upstream, router } = await setUp();
    upstream.answer = (_, response) =>
      response
        .writeHead(200, { x_one: 'a', etag: '"x"', 'last-modified': new Date(0).toUTCString() })
        .end('{}');
    await ask(router, {});
    await stored(store, 1);
    for (const condition of [{ 'if-none-match': '"x"' }, { 'if-match': '"y"' }, { range: 'bytes=0-0' }]) {
      const hit = await ask(router, {}, condition);
      expect(hit).toMatchObject({ status: 200, cache: 'HIT', text: '{}' });
      expect(hit.headers.x_one).toBe('a');
      for (const path of ['/v1/models', '/health']) {
        expect((await request(router.url + path, { headers: condition })).statusCode, path).toBe(200);
      }
    }
    expect(router.errors()).toBe('');
  });

  test.each([String.raw`"\ud800"`, String.raw`"\q"`, String.raw`"\ud83d\u0041"`])(
    'a member named %s, which only an engine may read, does not make two requests one',
    async (name) => {
      const { store, router } = await setUp();
      const send = async (member: string) => {
        const body = `{"model":"m",${member}:1}`;
        const response = await request(`${router.url}/v1/completions`, { method: 'POST', body });
        await response.body.dump();
        return response.headers['x-cache'];
      };
      await send('""');
      await stored(store, 1);
      expect(await send('""')).toBe('HIT');
      expect(await send(name)).toBe('BYPASS');
      expect(await send(name)).toBe('BYPASS');
    },
  );
});
