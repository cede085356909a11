/** Identical requests in flight: nobody holds the others up, and what Redis says is never trusted. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { request } from 'undici';
import { describe, expect, test } from 'vitest';
import { model, table } from '../../support/route-table.ts';
import type { Engine } from './support/engine.ts';
import { perTest } from './support/per-test.ts';
import { type Redis, startRedis } from './support/redis.ts';
import { loopbackAddress, type Router } from './support/router.ts';
import { openStream } from './support/stream.ts';

describe('identical requests in flight', () => {
  const { engine, start, keep } = perTest();
  const cached = (upstream: Engine) =>
    model('m', [upstream.address], { cache: { enabled: true, ttlSeconds: 60, policy: 'All' } });
  const ask = async (router: Router, body: object = {}) => {
    const response = await request(`${router.url}/v1/completions`, {
      method: 'POST',
      body: JSON.stringify({ model: 'm', ...body }),
    });
    return {
      status: response.statusCode,
      cache: response.headers['x-cache'],
      text: await response.body.text(),
    };
  };

  test('wait for an answer that has begun only so long, at this router and at another', async () => {
    const [store, upstream] = [keep(await startRedis()), await engine()];
    const routes = table([cached(upstream)], { redis: store.settings });
    const limits = { maxLeadMs: 100, lookMs: 50, lockMs: 1000 };
    const routers = [
      await start({ workers: 1, table: routes, limits }),
      await start({ workers: 1, table: routes, limits }),
    ];
    const slow = await openStream(routers[0]?.url ?? '', { model: 'm' });
    const others = await Promise.all(routers.map(async ({ url }) => await openStream(url, { model: 'm' })));
    await expect.poll(() => upstream.streams.size, { message: 'all are at the engine' }).toBe(3);
    upstream.finish();
    await Promise.all([slow, ...others].map(async ({ ended }) => await ended));
  });

  test('do not wait for an abandoned lock in Redis', async () => {
    const [store, upstream] = [keep(await startRedis()), await engine()];
    const limits = { maxWatchMs: 100 };
    const router = await start({
      workers: 1,
      table: table([cached(upstream)], { redis: store.settings }),
      limits,
    });
    await ask(router);
    await expect.poll(async () => (await ask(router)).cache, { message: 'it is stored' }).toBe('HIT');
    const key = (await store.command('KEYS', 'vllm:answer:*'))
      .split('\n')
      .find((name) => !name.endsWith(':lock'));
    await store.command('DEL', key ?? '');
    await store.command('SET', `${key}:lock`, '1');
    const before = upstream.requests.length;
    const told = (await Promise.all([ask(router), ask(router)])).map(({ cache }) => cache).sort();
    expect(told).toEqual(['MISS', 'SHARED']);
    expect(upstream.requests.length).toBe(before + 1);
  });

  test('of two tenants each ask the engine', async () => {
    const [store, upstream] = [keep(await startRedis()), await engine()];
    const keys = ['a', 'b'].map((key) => ({
      sha256: createHash('sha256').update(key).digest('hex'),
      tenant: `team-${key}`,
    }));
    const router = await start({
      workers: 1,
      table: table([cached(upstream)], { redis: store.settings, auth: 'APIKey', keys }),
    });
    const waiting: (() => void)[] = [];
    upstream.answer = (_, response) => void waiting.push(() => response.end('{}'));
    const answers = ['a', 'b'].map(
      async (key) =>
        await request(`${router.url}/v1/completions`, {
          method: 'POST',
          headers: { authorization: `Bearer ${key}` },
          body: '{"model":"m"}',
        }),
    );
    await expect.poll(() => waiting.length, { message: 'both are at the engine' }).toBe(2);
    for (const answer of waiting) answer();
    for (const answer of await Promise.all(answers)) {
      expect(answer.headers['x-cache']).toBe('MISS');
      await answer.body.dump();
    }
  });

  test('are no more than a router can hold', async () => {
    const [store, upstream] = [keep(await startRedis()), await engine()];
    const router = await start({
      workers: 1,
      table: table([cached(upstream)], { redis: store.settings }),
      limits: { maxFollowers: 2 },
    });
    const waiting: (() => void)[] = [];
    upstream.answer = (_, response) => void waiting.push(() => response.end('{}'));
    const answers = Array.from({ length: 5 }, async () => await ask(router));
    await expect.poll(() => waiting.length, { message: 'those that are too many are at the engine' }).toBe(3);
    for (const answer of waiting) answer();
    const told = (await Promise.all(answers)).map(({ cache }) => cache).sort();
    expect(told).toEqual(['MISS', 'MISS', 'MISS', 'SHARED', 'SHARED']);
  });

  test('do not follow one client after the other that goes away', async () => {
    const [store, upstream] = [keep(await startRedis()), await engine()];
    const router = await start({ workers: 1, table: table([cached(upstream)], { redis: store.settings }) });
    const waiting: (() => void)[] = [];
    upstream.answer = (_, response) => void waiting.push(() => response.end('{}'));
    // Arrives before anything that is sent later, which the answer about the models shows.
    const send = async () => {
      const socket = connect(8080, router.address);
      await new Promise<void>((resolve) => {
        socket.write(
          'POST /v1/completions HTTP/1.1\r\nhost: m\r\ncontent-length: 13\r\n\r\n{"model":"m"}',
          () => resolve(),
        );
      });
      await (await request(`${router.url}/v1/models`)).body.dump();
      return socket;
    };
    const hostile = [await send()];
    await expect.poll(() => waiting.length, { message: 'the first leads' }).toBe(1);
    for (let n = 1; n < 5; n += 1) hostile.push(await send());
    const honest = await send();
    const answer = new Promise<string>((resolve) => honest.once('data', (data) => resolve(data.toString())));
    for (const [n, atTheEngine] of [2, 3, 6].entries()) {
      hostile[n]?.destroy();
      await expect
        .poll(() => waiting.length, { message: `${atTheEngine} are at the engine` })
        .toBe(atTheEngine);
    }
    for (const reply of waiting) reply();
    expect(await answer).toContain('HTTP/1.1 200');
    for (const socket of [...hostile, honest]) socket.destroy();
  });
});

describe('a Redis that is hostile or broken', () => {
  const { engine, start, keep } = perTest();
  const setUp = async (settings: Redis['settings'], upstream: Engine) =>
    await start({
      workers: 1,
      table: table(
        [model('m', [upstream.address], { cache: { enabled: true, ttlSeconds: 60, policy: 'All' } })],
        { redis: settings, cacheMaxEntryBytes: 1000 },
      ),
    });
  const ask = async (router: Router, more: object = {}) => {
    const body = JSON.stringify({ model: 'm', ...more });
    const response = await request(`${router.url}/v1/completions`, { method: 'POST', body });
    const { statusCode: status, headers } = response;
    return { status, headers, cache: headers['x-cache'], text: await response.body.text() };
  };
  const entry = async (store: Redis) =>
    (await store.command('KEYS', 'vllm:answer:*')).split('\n').find((key) => key && !key.endsWith(':lock')) ??
    '';

  test.each([
    [
      'a list',
      async (store: Redis, key: string) => {
        await store.command('DEL', key);
        await store.command('RPUSH', key, 'x');
      },
    ],
    [
      'a text that is no entry',
      async (store: Redis, key: string) => {
        await store.command('SET', key, 'x');
      },
    ],
    [
      'an entry of an older format',
      async (store: Redis, key: string) => {
        await store.command('SET', key, `${Math.floor(Date.now() / 1000)} application/json\n{"poisoned":1}`);
      },
    ],
    [
      'an entry that is cut',
      async (store: Redis, key: string) => {
        await store.command('SET', key, (await store.command('GET', key)).slice(0, -1));
      },
    ],
    [
      'an entry with more behind it',
      async (store: Redis, key: string) => {
        await store.command('APPEND', key, 'x');
      },
    ],
    [
      'a huge value',
      async (store: Redis, key: string) => {
        await store.command('SETRANGE', key, '200000', 'x');
      },
    ],
    [
      'an entry with an absurd length',
      async (store: Redis, key: string) => {
        await store.command('SET', key, `3 1 ${'9'.repeat(400)} 1 0\nx`);
      },
    ],
    [
      'an entry older than its time',
      async (store: Redis, key: string) => {
        await store.command('SET', key, (await store.command('GET', key)).replace(/^3 \d+/, '3 1000'));
      },
    ],
  ])('%s is no answer, and is written over', async (_, spoil) => {
    const [store, upstream] = [keep(await startRedis()), await engine()];
    const router = await setUp(store.settings, upstream);
    const first = await ask(router);
    await expect.poll(async () => (await ask(router)).cache, { message: 'it is stored' }).toBe('HIT');
    for (let i = 0; i < 4; i += 1) {
      await spoil(store, await entry(store));
      expect(await ask(router)).toMatchObject({ status: 200, cache: 'MISS', text: first.text });
      await expect.poll(async () => (await ask(router)).cache, { message: 'it is stored again' }).toBe('HIT');
    }
    expect(router.errors()).not.toMatch(/error|left alone/);
  });

  test('a header in an entry says nothing of the host, nor opens the answer to other origins', async () => {
    const [store, upstream] = [keep(await startRedis()), await engine()];
    const router = await setUp(store.settings, upstream);
    await ask(router);
    await expect.poll(async () => (await ask(router)).cache, { message: 'it is stored' }).toBe('HIT');
    const conf = await readFile(
      join(import.meta.dirname, '../../../operator/router/nginx/nginx.conf'),
      'utf8',
    );
    const hidden = [...conf.matchAll(/proxy_hide_header ([\w-]+);/g)].map(([, name = '']) =>
      name.toLowerCase(),
    );
    const names = ['Set-Cookie', 'access-control-allow-origin', 'x-accel-redirect', 'location', ...hidden];
    const header = `content-type: text/html\nx-ok: 1\rX-Split: evil\n${names.map((name) => `${name}: evil\n`).join('')}`;
    await store.command(
      'SET',
      await entry(store),
      `3 ${Math.floor(Date.now() / 1000)} ${header.length} 2 0\n${header}{}`,
    );
    const answer = await ask(router);
    expect(answer).toMatchObject({ status: 200, cache: 'HIT', text: '{}' });
    expect(hidden).toContain('alt-svc');
    expect(
      Object.entries(answer.headers).filter(
        ([name, value]) => name !== 'x-ok' && `${value}`.includes('evil'),
      ),
    ).toEqual([]);
    expect(answer.headers['content-type']).toBe('application/octet-stream');
  });

  test.each([
    ['$abc\r\n'],
    ['$99999999999\r\nx'],
    ['$-\r\n'],
    ['$inf\r\n'],
    ['*1000000000\r\n'],
    ['*nan\r\n'],
    [':7\r\n'],
    ['*1\r\n$1\r\nx\r\n'],
    ['-\r\n'],
    ['\r\n'],
    ['HTTP/1.1 400 Bad Request\r\n\r\n'],
    ['+OK\r\n+OK\r\n+OK\r\n'],
  ])('a server that says %j is not waited for, and clients notice nothing', async (reply) => {
    const server: Server = createServer((socket) => {
      socket.on('error', () => socket.destroy());
      socket.on('data', () => socket.write(reply));
    });
    const host = loopbackAddress();
    await new Promise<void>((resolve) => server.listen(6379, host, resolve));
    keep({ close: async () => void server.close() });
    const upstream = await engine();
    const router = await setUp({ host, port: 6379, username: 'router', password: 'x' }, upstream);
    for (let i = 0; i < 6; i += 1) {
      const { status, cache } = await ask(router);
      expect(status).toBe(200);
      expect(['BYPASS', 'MISS']).toContain(cache);
    }
    expect(router.errors()).not.toContain('[error]');
  });

  test('that fails many requests at one time is left alone as long as after one failure', async () => {
    const host = loopbackAddress();
    const server: Server = createServer((socket) => socket.on('error', () => socket.destroy()));
    await new Promise<void>((resolve) => server.listen(6379, host, resolve));
    keep({ close: async () => void server.close() });
    const router = await setUp({ host, port: 6379, username: 'router', password: 'x' }, await engine());
    const bodies = Array.from({ length: 40 }, (_, seed) => ({ seed }));
    await Promise.all(bodies.map(async (body) => await ask(router, body)));
    await expect
      .poll(() => router.errors().includes('left alone for 1 s'), { message: 'it is left alone' })
      .toBeTruthy();
    expect(router.errors()).not.toMatch(/left alone for (4|8|16|30) s/);
  });
});
