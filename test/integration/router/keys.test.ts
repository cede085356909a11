import { createHash } from 'node:crypto';
import { afterEach, describe, expect, test } from 'vitest';
import type { RouteKey, RouteTable } from '../../../operator/router/route-table.ts';
import { model, table } from '../../support/route-table.ts';
import { startEngine } from './support/engine.ts';
import { startRedis } from './support/redis.ts';
import { type Router, startRouter } from './support/router.ts';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

describe('API keys', () => {
  const cleanup: { close(): Promise<void> }[] = [];
  const keep = <T extends { close(): Promise<void> }>(item: T): T => {
    cleanup.push(item);
    return item;
  };
  afterEach(async () => {
    await Promise.all(cleanup.splice(0).map(async (item) => await item.close()));
  });
  const key = (name: string, more: Partial<RouteKey> = {}): RouteKey => ({
    sha256: sha256(name),
    tenant: `tenant-${name}`,
    ...more,
  });
  const setUp = async (keys: RouteKey[], more: Partial<RouteTable> = {}) => {
    const engine = keep(await startEngine());
    engine.answer = (_, response) => {
      response.setHeader('content-type', 'application/json');
      response.end('{"choices":[],"usage":{"prompt_tokens":30,"total_tokens":50,"completion_tokens":20}}');
    };
    const routes = (list: RouteKey[]) =>
      table([model('m', [engine.address], { adapters: ['lora'] }), model('n', [engine.address])], {
        auth: 'APIKey',
        keys: list,
        ...more,
      });
    const router = keep(await startRouter({ table: routes(keys) }));
    return { engine, router, routes };
  };
  const ask = async (router: Router, token: string | undefined, name = 'm') => {
    const response = await fetch(`${router.url}/v1/completions`, {
      method: 'POST',
      body: JSON.stringify({ model: name }),
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    });
    await response.text();
    return response;
  };

  test('without a valid one there is nothing, not even the list of models', async () => {
    const { router, engine } = await setUp([key('a')]);
    for (const token of [undefined, '', 'b', sha256('a'), 'a ', 'A']) {
      const refused = await ask(router, token);
      // A trailing space is not part of the token.
      expect(refused.status, String(token)).toBe(token === 'a ' ? 200 : 401);
    }
    for (const path of ['/v1/models', '/v1/models/m']) {
      const response = await fetch(router.url + path);
      expect(response.status).toBe(401);
      expect(response.headers.get('www-authenticate')).toBe('Bearer');
      expect(await response.json()).toMatchObject({ error: { code: 401, type: 'AuthenticationError' } });
    }
    expect((await ask(router, 'a')).status).toBe(200);
    expect(engine.requests.at(-1)?.headers.authorization).toBeUndefined();
    expect(await router.metrics()).not.toContain(sha256('a'));
  });

  test('engines get no key, wherever and however a client sends it besides', async () => {
    const { router, engine } = await setUp([key('a'), key('b')]);
    const headers = [
      { authorization: 'Bearer a', 'x-api-key': 'a' },
      { authorization: 'Bearer a', 'x-api-key': 'b' },
      { authorization: 'BEARER a', 'x-api-key': 'a' },
    ];
    for (const path of ['/v1/completions', '/v1/messages', '/v1/embeddings']) {
      for (const header of headers) {
        const answer = await fetch(router.url + path, {
          method: 'POST',
          body: '{"model":"m"}',
          headers: header,
        });
        expect(answer.status).toBe(200);
        await answer.text();
        const got = engine.requests.at(-1)?.headers;
        expect([path, got?.authorization, got?.['x-api-key']]).toEqual([path, undefined, undefined]);
      }
    }
    const own = { authorization: 'Bearer a', 'x-api-key': 'of-the-engine' };
    await (
      await fetch(`${router.url}/v1/completions`, { method: 'POST', body: '{"model":"m"}', headers: own })
    ).text();
    expect(engine.requests.at(-1)?.headers['x-api-key']).toBe('of-the-engine');
  });

  test('keys come, overlap and go without a request being lost', async () => {
    const { router, routes } = await setUp([key('old')]);
    await router.put(routes([key('old'), key('new')]));
    expect([(await ask(router, 'old')).status, (await ask(router, 'new')).status]).toEqual([200, 200]);
    await router.put(routes([key('new')]));
    expect([(await ask(router, 'old')).status, (await ask(router, 'new')).status]).toEqual([401, 200]);
  });

  test('a key that is limited to some models does not learn of others', async () => {
    const { router } = await setUp([key('a', { models: ['m'] }), key('l', { models: ['lora'] })]);
    expect((await ask(router, 'a')).status).toBe(200);
    expect((await ask(router, 'a', 'n')).status).toBe(404);
    expect((await ask(router, 'l')).status).toBe(404);
    expect((await ask(router, 'l', 'lora')).status).toBe(200);
    const list = await fetch(`${router.url}/v1/models`, { headers: { authorization: 'Bearer a' } });
    expect(await list.text()).not.toContain('"n"');
    expect(
      (await fetch(`${router.url}/v1/models/n`, { headers: { authorization: 'Bearer a' } })).status,
    ).toBe(404);
  });

  test("a key that is limited to a model of its namespace may not use another team's object of that name", async () => {
    const engine = keep(await startEngine());
    const router = keep(
      await startRouter({
        table: table(
          [
            model('m2', [engine.address], { servedNames: ['mine'], adapters: ['mine-lora'] }),
            model('m2', [engine.address], {
              uid: 'uid-other',
              namespace: 'team-b',
              servedNames: ['other-name'],
              adapters: ['other-lora'],
            }),
          ],
          { auth: 'APIKey', keys: [key('a', { tenant: 'team-a/ci', models: ['m2'] })] },
        ),
      }),
    );
    for (const name of ['mine', 'mine-lora']) expect((await ask(router, 'a', name)).status).toBe(200);
    for (const name of ['other-name', 'other-lora']) expect((await ask(router, 'a', name)).status).toBe(404);
    const list = await fetch(`${router.url}/v1/models`, { headers: { authorization: 'Bearer a' } });
    expect(await list.text()).not.toContain('other');
  });

  test('a header that names another adapter does not reach the engine', async () => {
    const { engine, router } = await setUp([key('a', { models: ['m'] })]);
    const response = await fetch(`${router.url}/invocations`, {
      method: 'POST',
      body: '{"model":"m"}',
      headers: {
        authorization: 'Bearer a',
        'x-amzn-sagemaker-adapter-identifier': 'lora',
        'x-amzn-sagemaker-session-id': 'NEW_SESSION',
      },
    });
    expect(response.status).toBe(200);
    expect(
      Object.keys(engine.requests[0]?.headers ?? {}).filter((name) => name.includes('sagemaker')),
    ).toEqual([]);
  });

  test('only the own team gets details of a model that cannot start', async () => {
    const unavailable = { reason: 'FailedCreate', message: 'ServiceAccount team-c/vllm-x-router exists.' };
    const models = [model('m', [], { servedNames: ['served'], unavailable })];
    const keys = [key('a', { tenant: 'team-a/ci' }), key('b', { tenant: 'team-b' })];
    const router = keep(await startRouter({ table: table(models, { auth: 'APIKey', keys }) }));
    const said = async (token: string | undefined) => {
      const response = await fetch(`${router.url}/v1/completions`, {
        method: 'POST',
        body: '{"model":"served"}',
        headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
      });
      expect(response.status).toBe(503);
      return ((await response.json()) as { error: { message: string } }).error.message;
    };
    expect(await said('a')).toContain(
      'The model `served` is not available: ServiceAccount team-c/vllm-x-router exists.',
    );
    expect(await said('b')).toContain('The model `served` is not available: FailedCreate.');
    await router.put(table(models));
    expect(await said(undefined)).toContain('The model `served` is not available: FailedCreate.');
  });

  test('requests and tokens per minute are limited across routers', async () => {
    const redis = keep(await startRedis());
    const { router, routes } = await setUp(
      [key('r', { requestsPerMinute: 3 }), key('t', { tokensPerMinute: 100 })],
      { redis: redis.settings },
    );
    const other = keep(
      await startRouter({
        table: routes([key('r', { requestsPerMinute: 3 }), key('t', { tokensPerMinute: 100 })]),
      }),
    );
    const statuses: number[] = [];
    for (let i = 0; i < 4; i += 1) statuses.push((await ask(i % 2 ? router : other, 'r')).status);
    expect(statuses).toEqual([200, 200, 200, 429]);
    const refused = await ask(other, 'r');
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect((await ask(router, 't')).status).toBe(200);
    await expect
      .poll(async () => (await redis.command('KEYS', 'vllm:rate:*:t')) !== '', {
        message: 'the tokens are counted',
      })
      .toBe(true);
    expect((await ask(other, 't')).status).toBe(200);
    await expect
      .poll(async () => (await ask(router, 't')).status, { message: 'the limit is reached' })
      .toBe(429);
  });

  test('a limit holds for a minute, and then again', async () => {
    const { router } = await setUp([key('r', { requestsPerMinute: 1 })], { limits: { rateWindowMs: 500 } });
    for (const status of [200, 429, 200, 429]) {
      await expect
        .poll(async () => (await ask(router, 'r')).status, { message: String(status) })
        .toBe(status);
    }
  });

  test('to list models counts as a request too', async () => {
    const { router } = await setUp([key('a', { requestsPerMinute: 3 })]);
    const list = async (path: string) =>
      (await fetch(router.url + path, { headers: { authorization: 'Bearer a' } })).status;
    await expect.poll(async () => await list('/v1/models'), { message: 'the limit is reached' }).toBe(429);
    expect([200, 429]).toContain(await list('/v1/models/m'));
  });

  test('a counter in Redis that is none takes nothing from others', async () => {
    const redis = keep(await startRedis());
    const { router } = await setUp([key('r', { requestsPerMinute: 2 })], { redis: redis.settings });
    const day = Math.floor(Date.now() / 86_400_000);
    for (const ahead of [0, 1]) {
      await redis.command('LPUSH', `vllm:rate:${sha256('r')}:${day + ahead}:r`, 'x');
    }
    const statuses: number[] = [];
    for (let i = 0; i < 3; i += 1) statuses.push((await ask(router, 'r')).status);
    // The router counts itself.
    expect(statuses).toEqual([200, 200, 429]);
    expect(await router.metrics()).not.toContain('cache_breaker_total{');
    expect(router.errors()).toBe('');
  });

  test('without Redis limits hold in each router', async () => {
    const { router } = await setUp([key('r', { requestsPerMinute: 2 })], {
      redis: { host: '127.0.0.1', port: 1, username: 'x', password: 'y' },
    });
    const statuses: number[] = [];
    for (let i = 0; i < 3; i += 1) statuses.push((await ask(router, 'r')).status);
    expect(statuses).toEqual([200, 200, 429]);
  });

  test('requests and tokens are counted for the tenant', async () => {
    const { router } = await setUp([key('a')]);
    await ask(router, 'a');
    await expect
      .poll(
        async () => {
          const text = await router.metrics();
          return (
            text.includes(
              'vllm_router_requests_total{model="m",namespace="team-a",tenant="tenant-a",code="200"} 1\n',
            ) &&
            text.includes(
              'vllm_router_tokens_total{model="m",namespace="team-a",tenant="tenant-a",kind="prompt"} 30\n',
            ) &&
            text.includes(
              'vllm_router_tokens_total{model="m",namespace="team-a",tenant="tenant-a",kind="completion"} 20\n',
            )
          );
        },
        { message: 'they are there' },
      )
      .toBeTruthy();
  });
});
