import { afterEach, describe, expect, test } from 'vitest';
import type { RouteCache, RouteModel, RouteTable } from '../../../operator/router/route-table.ts';
import { model, table } from '../../support/route-table.ts';
import { type Engine, startEngine } from './support/engine.ts';
import { type Redis, startRedis } from './support/redis.ts';
import { type Demand, type Router, type RouterOptions, startRouter } from './support/router.ts';
import { openStream } from './support/stream.ts';

describe('the response cache', () => {
  const cleanup: { close(): Promise<void> }[] = [];
  const keep = <T extends { close(): Promise<void> }>(item: T): T => {
    cleanup.push(item);
    return item;
  };
  const engine = async (): Promise<Engine> => keep(await startEngine());
  const redis = async (at?: string): Promise<Redis> => keep(await startRedis(at));
  const start = async (options: RouterOptions): Promise<Router> => keep(await startRouter(options));
  const cached = (
    name: string,
    endpoints: string[],
    rules: Partial<RouteCache> = {},
    more: Partial<RouteModel> = {},
  ) =>
    model(name, endpoints, {
      cache: { enabled: true, ttlSeconds: 60, policy: 'Deterministic', ...rules },
      ...more,
    });
  afterEach(async () => {
    await Promise.all(cleanup.splice(0).map(async (item) => await item.close()));
  });

  const ask = async (
    router: Router,
    body: object | string,
    headers: Record<string, string> = {},
    path = '/v1/chat/completions',
  ) => {
    const response = await fetch(router.url + path, {
      method: 'POST',
      body: typeof body === 'string' ? body : JSON.stringify(body),
      headers: { 'content-type': 'application/json', ...headers },
    });
    const { status } = response;
    return {
      status,
      cache: response.headers.get('x-cache'),
      age: response.headers.get('age'),
      type: response.headers.get('content-type'),
      text: await response.text(),
    };
  };
  const stored = async (store: Redis, n: number) =>
    await expect
      .poll(async () =>
        (await store.command('KEYS', 'vllm:answer:*'))
          .split('\n')
          .filter((key) => key && !key.endsWith(':lock')),
      )
      .toHaveLength(n);

  /** Answers with a number that grows with each request. */
  const counting = (upstream: Engine) => {
    let n = 0;
    upstream.answer = (_, response) => {
      n += 1;
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ n, usage: { prompt_tokens: 3, completion_tokens: 5, total_tokens: 8 } }));
    };
  };

  test('caches requests that temperature 0 or a seed makes repeatable, independent of member order', async () => {
    const [store, upstream] = [await redis(), await engine()];
    counting(upstream);
    const router = await start({
      table: table([cached('m', [upstream.address])], { redis: store.settings }),
    });
    const first = await ask(router, {
      model: 'm',
      temperature: 0,
      messages: [{ role: 'user', content: 'a' }],
    });
    expect(first).toMatchObject({ status: 200, cache: 'MISS' });
    await stored(store, 1);
    const second = await ask(
      router,
      '{ "temperature" : 0 , "messages":[{"role":"user","content":"a"}], "model":"m" }',
    );
    expect(second).toMatchObject({ status: 200, cache: 'HIT', type: first.type, text: first.text });
    expect(Number(second.age)).toBeGreaterThanOrEqual(0);
    expect((await ask(router, { model: 'm', seed: 7 })).cache).toBe('MISS');
    expect((await ask(router, { model: 'm', temperature: 0.1 })).cache).toBe('BYPASS');
    expect((await ask(router, { model: 'm' })).cache).toBe('BYPASS');
    expect((await ask(router, { model: 'm', input: 'x' }, {}, '/v1/embeddings')).cache).toBe('MISS');
    expect(upstream.requests.length).toBe(5);
    expect(
      Number(await store.command('TTL', (await store.command('KEYS', 'vllm:answer:*')).split('\n')[0] ?? '')),
    ).toBeGreaterThan(0);
  });

  test('the policy All caches all responses, except errors, interrupted streams and large responses', async () => {
    const [store, upstream] = [await redis(), await engine()];
    const router = await start({
      table: table([cached('m', [upstream.address], { policy: 'All' })], {
        redis: store.settings,
        cacheMaxEntryBytes: 1000,
      }),
    });
    const twice = async (body: object) => [(await ask(router, body)).cache, (await ask(router, body)).cache];
    await ask(router, { model: 'm', a: 1 });
    await stored(store, 1);
    expect((await ask(router, { model: 'm', a: 1 })).cache).toBe('HIT');
    upstream.answer = (_, response) => response.writeHead(400).end('{"error":{}}');
    expect(await twice({ model: 'm', a: 2 })).toEqual(['MISS', 'MISS']);
    upstream.answer = (_, response) => response.end('x'.repeat(1001));
    expect(await twice({ model: 'm', a: 3 })).toEqual(['MISS', 'MISS']);
    upstream.answer = (_, response) => response.end('{"choices":[{"finish_reason":"abort"}]}');
    expect(await twice({ model: 'm', a: 4 })).toEqual(['MISS', 'MISS']);
    upstream.answer = (_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('data: {"x":1}\n\n', () => response.socket?.destroy());
    };
    expect(await twice({ model: 'm', stream: true })).toEqual(['MISS', 'MISS']);
    await stored(store, 1);
  });

  test('streams are replayed as streams, byte for byte, and apart from plain answers', async () => {
    const [store, upstream] = [await redis(), await engine()];
    const router = await start({
      table: table([cached('m', [upstream.address])], { redis: store.settings }),
    });
    const live = await openStream(router.url, { model: 'm', temperature: 0 });
    upstream.push('{"choices":[{"delta":{"content":"ä"}}]}');
    upstream.push('{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2}}');
    upstream.finish();
    await live.ended;
    expect(live.text()).not.toContain('usage');
    await stored(store, 1);
    const replay = await openStream(router.url, { model: 'm', temperature: 0 });
    await replay.ended;
    expect(replay.headers['x-cache']).toBe('HIT');
    expect(replay.headers['content-type']).toBe(live.headers['content-type']);
    expect(replay.text()).toBe(live.text());
    expect((await ask(router, { model: 'm', temperature: 0 })).cache).toBe('MISS');
    expect(upstream.requests.length).toBe(2);
  });

  test('a hit needs no engine and wakes none', async () => {
    const [store, upstream] = [await redis(), await engine()];
    const router = await start({
      table: table([cached('m', [upstream.address])], { redis: store.settings }),
    });
    await ask(router, { model: 'm', seed: 1 });
    await stored(store, 1);
    const before = await router.demand();
    await router.put(table([cached('m', [])], { redis: store.settings }));
    expect((await ask(router, { model: 'm', seed: 1 })).cache).toBe('HIT');
    const after = await router.demand();
    expect(after.seq).toBe(before.seq);
    const age = (demand: Demand) => demand.models['uid-m']?.ageMs;
    expect(age(after)).toBeGreaterThanOrEqual(age(before) ?? Number.NaN);
  });

  test('Cache-Control: no-cache asks again and refreshes, no-store leaves no trace', async () => {
    const [store, upstream] = [await redis(), await engine()];
    counting(upstream);
    const router = await start({
      table: table([cached('m', [upstream.address])], { redis: store.settings }),
    });
    const body = { model: 'm', seed: 1 };
    expect((await ask(router, body, { 'cache-control': 'no-store' })).cache).toBe('BYPASS');
    expect((await ask(router, body)).text).toContain('"n":2');
    await stored(store, 1);
    expect((await ask(router, body, { 'cache-control': 'no-cache' })).text).toContain('"n":3');
    await expect
      .poll(async () => (await ask(router, body)).text.includes('"n":3'), { message: 'it is refreshed' })
      .toBeTruthy();
  });

  test('a changed model, another model or another path never answers from old entries', async () => {
    const [store, upstream] = [await redis(), await engine()];
    const router = await start({
      table: table([cached('m', [upstream.address]), cached('n', [upstream.address])], {
        redis: store.settings,
      }),
    });
    await ask(router, { model: 'm', seed: 1 });
    await stored(store, 1);
    expect((await ask(router, { model: 'n', seed: 1 })).cache).toBe('MISS');
    expect((await ask(router, { model: 'm', seed: 1 }, {}, '/v1/completions')).cache).toBe('MISS');
    await router.put(
      table([cached('m', [upstream.address], {}, { engine: 'other' })], { redis: store.settings }),
    );
    expect((await ask(router, { model: 'm', seed: 1 })).cache).toBe('MISS');
  });

  test('of a hundred identical requests at two routers one reaches the engine', async () => {
    const [store, upstream] = [await redis(), await engine()];
    let release: () => void = () => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    upstream.answer = (_, response) => void gate.then(() => response.end('{"one":1}'));
    const routes = table([cached('m', [upstream.address])], { redis: store.settings });
    const routers = [await start({ table: routes }), await start({ table: routes })];
    const answers = Array.from(
      { length: 100 },
      async (_, i) => await ask(routers[i % 2] as Router, { model: 'm', seed: 1 }),
    );
    await expect.poll(() => upstream.requests.length > 0, { message: 'one is at the engine' }).toBe(true);
    release();
    const results = await Promise.all(answers);
    expect(upstream.requests.length).toBe(1);
    expect(new Set(results.map(({ text }) => text))).toEqual(new Set(['{"one":1}']));
    const told = results.map(({ cache }) => cache);
    expect(told.filter((cache) => cache === 'MISS').length).toBe(1);
    expect(told.every((cache) => cache === 'MISS' || cache === 'SHARED' || cache === 'HIT')).toBe(true);
  });

  test('when the first of identical requests fails the others are not held up; when its client leaves, one takes over', async () => {
    const [store, upstream] = [await redis(), await engine()];
    const router = await start({
      workers: 1,
      table: table([cached('m', [upstream.address])], { redis: store.settings }),
    });
    const waiting: (() => void)[] = [];
    upstream.answer = (_, response) => void waiting.push(() => response.writeHead(500).end('{}'));
    const failing = Array.from({ length: 5 }, async () => await ask(router, { model: 'm', seed: 1 }));
    await expect.poll(() => waiting.length, { message: 'one is at the engine' }).toBe(1);
    waiting[0]?.();
    await expect.poll(() => waiting.length, { message: 'the others are too' }).toBe(5);
    for (const answer of waiting.slice(1)) answer();
    expect((await Promise.all(failing)).map(({ status }) => status)).toEqual([500, 500, 500, 500, 500]);

    const seen = upstream.requests.length;
    const answers: (() => void)[] = [];
    upstream.answer = (_, response) => void answers.push(() => response.end('{}'));
    const client = new AbortController();
    const first = fetch(`${router.url}/v1/completions`, {
      method: 'POST',
      body: '{"model":"m","seed":2}',
      signal: client.signal,
    }).catch(() => 'gone');
    await expect.poll(() => answers.length, { message: 'it is at the engine' }).toBe(1);
    const others = Array.from(
      { length: 5 },
      async () => await ask(router, { model: 'm', seed: 2 }, {}, '/v1/completions'),
    );
    client.abort();
    await first;
    await expect.poll(() => answers.length, { message: 'another is at the engine' }).toBe(2);
    answers[1]?.();
    expect((await Promise.all(others)).map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    expect(upstream.requests.length).toBe(seen + 2);
  });

  test('a stream that waits for an identical one gets comments, then the answer, at this router and at another', async () => {
    const [store, upstream] = [await redis(), await engine()];
    const routes = table([cached('m', [upstream.address])], { redis: store.settings });
    const limits = { commentAfterMs: 100, commentEveryMs: 100 };
    const routers = [
      await start({ workers: 1, table: routes, limits }),
      await start({ table: routes, limits }),
    ];
    const body = { model: 'm', temperature: 0 };
    const first = await openStream(routers[0]?.url ?? '', body);
    const others = await Promise.all(routers.map(async ({ url }) => await openStream(url, body)));
    for (const other of others)
      await expect
        .poll(() => (other.text().match(/^: /gm) ?? []).length > 1, { message: 'comments' })
        .toBe(true);
    upstream.push('words');
    upstream.finish();
    await first.ended;
    for (const other of others) {
      expect(await other.ended).toBe('complete');
      expect(other.text().replace(/^(: waiting\n\n)+/, '')).toBe(first.text());
    }
    expect(upstream.requests.length).toBe(1);
  });

  test.each(['stopped', 'silent', 'full'])('Redis %s: clients notice nothing', async (how) => {
    const [store, upstream] = [await redis(), await engine()];
    const router = await start({
      table: table([cached('m', [upstream.address])], { redis: store.settings }),
    });
    expect((await ask(router, { model: 'm', seed: 0 })).cache).toBe('MISS');
    if (how === 'stopped') await store.close();
    else if (how === 'silent') process.kill(store.pid, 'SIGSTOP');
    else {
      await store.command('CONFIG', 'SET', 'maxmemory-policy', 'noeviction');
      await store.command('CONFIG', 'SET', 'maxmemory', '1');
    }
    for (let i = 1; i < 30; i += 1) {
      const { status, cache } = await ask(router, { model: 'm', seed: i });
      expect(status).toBe(200);
      expect(['BYPASS', 'MISS']).toContain(cache);
    }
    if (how === 'silent') process.kill(store.pid, 'SIGCONT');
    if (how === 'full') await store.command('CONFIG', 'SET', 'maxmemory', '0');
    if (how === 'stopped') await redis(store.settings.host);
    await expect
      .poll(async () => (await ask(router, { model: 'm', seed: 100 })).cache, {
        message: 'the cache is used again',
      })
      .toBe('HIT');
  });

  test('without the secrets of the operator the cache is bypassed', async () => {
    const upstream = await engine();
    const router = await start({ table: table([cached('m', [upstream.address])]) });
    expect(await ask(router, { model: 'm', seed: 1 })).toMatchObject({ status: 200, cache: 'BYPASS' });
  });

  test('tenants never share an entry, on no path', async () => {
    const [store, upstream] = [await redis(), await engine()];
    counting(upstream);
    const { createHash } = await import('node:crypto');
    const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
    const routes: Partial<RouteTable> = {
      redis: store.settings,
      auth: 'APIKey',
      keys: [
        { sha256: sha256('key-a'), tenant: 'a' },
        { sha256: sha256('key-b'), tenant: 'b' },
      ],
    };
    const router = await start({
      table: table([cached('m', [upstream.address], { policy: 'All' })], routes),
    });
    for (const path of [
      '/v1/chat/completions',
      '/v1/completions',
      '/v1/embeddings',
      '/rerank',
      '/tokenize',
      '/v1/responses',
    ]) {
      const as = async (key: string) =>
        await ask(router, { model: 'm', input: path }, { authorization: `Bearer ${key}` }, path);
      const mine = await as('key-a');
      if (mine.cache === 'MISS')
        await expect.poll(async () => (await as('key-a')).cache, { message: 'it is stored' }).toBe('HIT');
      const theirs = await as('key-b');
      expect(theirs.cache, path).not.toBe('HIT');
      expect(theirs.text).not.toBe(mine.text);
    }
  });
});
