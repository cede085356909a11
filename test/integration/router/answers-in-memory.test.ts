/** Answers that a router has in memory, of the cache or its own, while clients read them slowly or engines write them slowly. */
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { model, table } from '../../support/route-table.ts';
import { perTest } from './support/per-test.ts';
import { startRedis } from './support/redis.ts';
import type { Router } from './support/router.ts';

const CACHE = { enabled: true, ttlSeconds: 600, policy: 'All' as const };

describe('answers in the memory of a router', () => {
  const { engine, start, keep } = perTest();
  const sockets: Socket[] = [];
  const leave = () => {
    for (const socket of sockets.splice(0)) socket.destroy();
  };
  afterEach(leave);
  const ask = async (router: Router, body: object, path = '/v1/embeddings') => {
    const answer = await fetch(router.url + path, { method: 'POST', body: JSON.stringify(body) });
    await answer.arrayBuffer();
    return answer.headers.get('x-cache');
  };
  /** Asks, and reads no more of the answer than its first bytes, which are returned when they are there. */
  const readSlowly = async (router: Router, request: string) => {
    const socket = connect(8080, router.address);
    socket.on('error', () => undefined);
    sockets.push(socket);
    socket.write(request);
    return await new Promise<string>((resolve) => {
      socket.once('data', (data) => {
        socket.pause();
        resolve(data.toString());
      });
    });
  };
  const post = (body: object) => {
    const text = JSON.stringify(body);
    return `POST /v1/embeddings HTTP/1.1\r\nHost: router\r\nContent-Length: ${text.length}\r\n\r\n${text}`;
  };

  test('are bounded together: more go through to the engine, until there is room again', async () => {
    const [upstream, redis] = [await engine(), keep(await startRedis())];
    const size = 7_000_000; // more than sockets hold
    upstream.answer = (_, response) => response.writeHead(200).end('x'.repeat(size));
    const router = await start({
      table: table([model('m', [upstream.address], { cache: CACHE })], {
        redis: redis.settings,
        cacheMaxEntryBytes: 2 * size,
      }),
      maxBodiesSize: 3 * size,
      limits: { redisTimeoutMs: 5000 },
      workers: 1,
    });
    const body = { model: 'm', input: 'a' };
    await ask(router, body);
    await expect.poll(async () => await ask(router, body), { message: 'it is in the cache' }).toBe('HIT');
    const answers: string[] = [];
    for (let i = 0; i < 5; i += 1) answers.push(await readSlowly(router, post(body)));
    const results = answers.map((text) => /^X-Cache: (.*)\r$/m.exec(text)?.[1]);
    expect(results).toEqual(['HIT', 'HIT', 'HIT', 'BYPASS', 'BYPASS']);
    leave();
    await expect.poll(async () => await ask(router, body), { message: 'there is room again' }).toBe('HIT');
  });

  test('lists of models are too', async () => {
    const long = 'x'.repeat(900);
    const models = Array.from({ length: 5000 }, (_, i) =>
      model(`m-${i}`, [], { servedNames: [`${long}${i}`] }),
    );
    const router = await start({ table: table(models), maxBodiesSize: 25_000_000, workers: 1 });
    const get = 'GET /v1/models HTTP/1.1\r\nHost: router\r\n\r\n';
    const answers: string[] = [];
    for (let i = 0; i < 4; i += 1) answers.push(await readSlowly(router, get));
    expect(answers.map((text) => Number(text.slice(9, 12)))).toEqual([200, 200, 503, 503]);
    leave();
    await expect
      .poll(async () => (await fetch(`${router.url}/v1/models`)).status, { message: 'there is room again' })
      .toBe(200);
  });

  test('lists of models count among the requests that a router can keep', async () => {
    const upstream = await engine();
    upstream.answer = () => undefined;
    const names = ['m', 'other'];
    const router = await start({
      table: table(names.map((name) => model(name, [upstream.address], { namespace: `team-${name}` }))),
      limits: { maxInFlight: 2 },
      workers: 1,
    });
    const status = async (path: string) => (await fetch(router.url + path)).status;
    expect([await status('/v1/models'), await status('/v1/models/m')]).toEqual([200, 200]);
    for (const name of names) void ask(router, { model: name }).catch(() => undefined);
    await expect.poll(() => upstream.requests.length, { message: 'two are at the engine' }).toBe(2);
    expect([await status('/v1/models'), await status('/v1/models/m')]).toEqual([503, 503]);
  });

  test('slow responses of engines are collected for the cache within limits per namespace', async () => {
    const [upstream, redis] = [await engine(), keep(await startRedis())];
    const ends: (() => void)[] = [];
    upstream.answer = (_, response) => {
      response.writeHead(200, { 'content-length': 100_001 });
      response.write('x'.repeat(100_000));
      ends.push(() => response.end('x'));
    };
    const names = ['m', 'other'].map((name) =>
      model(name, [upstream.address], { cache: CACHE, namespace: `team-${name}` }),
    );
    const router = await start({
      table: table(names, { redis: redis.settings }),
      limits: { maxKeptBytes: 500000 },
      workers: 1,
    });
    const begin = async (name: string, n: number) => {
      const first = await fetch(`${router.url}/v1/embeddings`, {
        method: 'POST',
        body: JSON.stringify({ model: name, input: n }),
      });
      const reader = first.body?.getReader();
      for (let size = 0; size < 100_000; ) size += (await reader?.read())?.value?.length ?? 1;
      return async () => {
        while (!(await reader?.read())?.done);
      };
    };
    const rests: (() => Promise<void>)[] = [];
    for (let n = 0; n < 6; n += 1) rests.push(await begin('m', n));
    rests.push(await begin('other', 0));
    for (const end of ends) end();
    await Promise.all(rests.map(async (rest) => await rest()));
    upstream.answer = (_, response) => response.end('{}');
    const cached = async (name: string, n: number) =>
      (await ask(router, { model: name, input: n })) === 'HIT';
    await expect
      .poll(async () => await cached('m', 0), { message: 'the first one is in the cache' })
      .toBeTruthy();
    await expect
      .poll(async () => await cached('other', 0), { message: 'that of another namespace is' })
      .toBeTruthy();
    const hits = await Promise.all(Array.from({ length: 6 }, async (_, n) => await cached('m', n)));
    expect(hits).toEqual([true, true, false, false, false, false]);
  });
});
