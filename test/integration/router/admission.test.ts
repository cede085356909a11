import { createHash } from 'node:crypto';
import { afterEach, describe, expect, test } from 'vitest';
import type { RouteModel } from '../../../operator/router/route-table.ts';
import { type Engine, startEngine } from './support/engine.ts';
import { type Router, type RouterOptions, startRouter } from './support/router.ts';
import { engineAt, model, table } from './support/table.ts';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

describe('admission', () => {
  const cleanup: { close(): Promise<void> }[] = [];
  const keep = <T extends { close(): Promise<void> }>(item: T): T => {
    cleanup.push(item);
    return item;
  };
  afterEach(async () => {
    await Promise.all(cleanup.splice(0).map(async (item) => await item.close()));
  });

  /** An engine that answers one request at a time, when told. */
  const gated = async () => {
    const engine = keep(await startEngine());
    const open: { body: string; answer(): void }[] = [];
    engine.answer = (request, response) => {
      open.push({ body: request.body.toString(), answer: () => response.end('{}') });
    };
    return { engine, open };
  };
  const limited = (engine: Engine, capacity: number, admission: Partial<RouteModel['admission']> = {}) => {
    const entry = model('m', [engine.address]);
    return {
      ...entry,
      endpoints: [engineAt(engine.address, capacity)],
      admission: { ...entry.admission, ...admission },
    };
  };
  const start = async (options: RouterOptions): Promise<Router> => keep(await startRouter(options));
  const ask = async (
    router: Router,
    body: object = {},
    headers: Record<string, string> = {},
    path = '/v1/completions',
  ) => {
    const response = await fetch(router.url + path, {
      method: 'POST',
      body: JSON.stringify({ model: 'm', ...body }),
      headers,
    });
    return {
      status: response.status,
      headers: response.headers,
      body: (await response.json()) as Record<string, unknown>,
    };
  };

  test('no more requests run than the engines have capacity; the rest wait their turn, and one too many is a 429', async () => {
    const { engine, open } = await gated();
    const router = await start({ table: table([limited(engine, 4, { maxQueue: 8 })]) });
    const answers = Array.from({ length: 12 }, async () => await ask(router));
    await expect
      .poll(
        async () => {
          const demand = (await router.demand()).models['uid-m'];
          return demand?.inFlight === 4 && demand.queued === 8;
        },
        { message: 'all are in' },
      )
      .toBeTruthy();
    await expect.poll(() => open.length, { message: 'four are at the engine' }).toBe(4);
    const refused = await ask(router);
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(refused.body).toMatchObject({ error: { type: 'RateLimitError', code: 429 } });
    for (let i = 0; i < 12; i += 1) {
      await expect.poll(() => open.length > i, { message: 'the next is at the engine' }).toBe(true);
      expect(open.length).toBeLessThanOrEqual(i + 4);
      open[i]?.answer();
    }
    expect(new Set((await Promise.all(answers)).map(({ status }) => status))).toEqual(new Set([200]));
    await expect
      .poll(
        async () => /hold_seconds_count\{model="m",namespace="team-a"\} 8\n/.test(await router.metrics()),
        { message: 'all workers have handed over' },
      )
      .toBeTruthy();
    expect(await router.metrics()).toMatch(
      /vllm_router_hold_seconds_count\{model="m",namespace="team-a"\} 8\n/,
    );
  });

  test('a request that waits too long for capacity is a 429', async () => {
    const { engine, open } = await gated();
    const router = await start({ table: table([limited(engine, 1, { queueTimeoutMs: 200 })]) });
    const first = ask(router);
    await expect.poll(() => open.length, { message: 'it runs' }).toBe(1);
    expect((await ask(router)).status).toBe(429);
    open[0]?.answer();
    expect((await first).status).toBe(200);
  });

  test('tenants take turns: one request is not behind a hundred of another', async () => {
    const { engine, open } = await gated();
    const router = await start({
      workers: 1,
      table: table([limited(engine, 1)], {
        auth: 'APIKey',
        keys: [
          { sha256: sha256('many'), tenant: 'many' },
          { sha256: sha256('few'), tenant: 'few' },
        ],
      }),
    });
    const as = async (key: string) => await ask(router, { prompt: key }, { authorization: `Bearer ${key}` });
    const many = Array.from({ length: 100 }, async () => await as('many'));
    await expect
      .poll(async () => (await router.demand()).models['uid-m']?.queued, { message: 'they wait' })
      .toBe(99);
    const few = as('few');
    await expect
      .poll(async () => (await router.demand()).models['uid-m']?.queued, { message: 'it waits too' })
      .toBe(100);
    for (let i = 0; i < 3; i += 1) {
      await expect.poll(() => open.length > i, { message: 'the next is at the engine' }).toBe(true);
      open[i]?.answer();
    }
    expect((await few).status).toBe(200);
    for (let i = 3; i < 101; i += 1) {
      await expect.poll(() => open.length > i, { message: 'the next is at the engine' }).toBe(true);
      open[i]?.answer();
    }
    await Promise.all(many);
  });

  test('as the queue grows, answers get shorter, and clients are told', async () => {
    const { engine, open } = await gated();
    const degradation = [
      { queueAbove: 2, maxTokens: 10 },
      { queueAbove: 0, maxTokens: 100 },
    ];
    const router = await start({ workers: 1, table: table([limited(engine, 1, { degradation })]) });
    const answers: ReturnType<typeof ask>[] = [];
    const bodies = [
      { max_tokens: 500 },
      { max_tokens: 500 },
      { max_tokens: 500 },
      {},
      { max_tokens: 5 },
      { max_completion_tokens: 50 },
    ];
    for (const [i, body] of bodies.entries()) {
      answers.push(ask(router, { ...body, i }));
      await expect
        .poll(
          async () => {
            const demand = (await router.demand()).models['uid-m'];
            return (demand?.inFlight ?? 0) + (demand?.queued ?? 0) === i + 1;
          },
          { message: 'it is in' },
        )
        .toBeTruthy();
    }
    for (let i = 0; i < bodies.length; i += 1) {
      await expect.poll(() => open.length > i, { message: 'the next is at the engine' }).toBe(true);
      open[i]?.answer();
    }
    const sent = open.map(({ body }) => JSON.parse(body) as Record<string, unknown>);
    expect(sent).toEqual([
      { model: 'm', max_tokens: 500, i: 0 },
      { model: 'm', max_tokens: 500, i: 1 },
      { model: 'm', max_tokens: 100, i: 2 },
      { model: 'm', max_tokens: 100, i: 3 },
      { model: 'm', max_tokens: 5, i: 4 },
      { model: 'm', max_completion_tokens: 10, i: 5 },
    ]);
    const told = (await Promise.all(answers)).map(({ headers }) => headers.get('x-degraded'));
    expect(told).toEqual([null, null, 'max_tokens=100', 'max_tokens=100', 'max_tokens=10', 'max_tokens=10']);
  });

  test('answers get shorter where `sampling_params` has their length, too', async () => {
    const { engine, open } = await gated();
    const degradation = [{ queueAbove: 0, maxTokens: 10 }];
    const router = await start({ workers: 1, table: table([limited(engine, 1, { degradation })]) });
    const answers: ReturnType<typeof ask>[] = [];
    const options = [
      { max_tokens: 500 },
      { max_tokens: 500 },
      { max_tokens: 500 },
      { n: 1 },
      {},
      { max_tokens: 5 },
      { n: 1, max_tokens: null },
      { max_tokens: '500' },
    ];
    for (const [i, sampling_params] of options.entries()) {
      answers.push(ask(router, { sampling_params }, {}, '/inference/v1/generate'));
      await expect
        .poll(
          async () => {
            const demand = (await router.demand()).models['uid-m'];
            return (demand?.inFlight ?? 0) + (demand?.queued ?? 0) === i + 1;
          },
          { message: 'it is in' },
        )
        .toBeTruthy();
    }
    for (let i = 0; i < options.length; i += 1) {
      await expect.poll(() => open.length > i, { message: 'the next is at the engine' }).toBe(true);
      open[i]?.answer();
    }
    await Promise.all(answers);
    const sent = open.map(({ body }) => JSON.parse(body) as Record<string, unknown>);
    expect(sent).toEqual(
      [
        { max_tokens: 500 },
        { max_tokens: 500 },
        { max_tokens: 10 },
        { n: 1, max_tokens: 10 },
        { max_tokens: 10 },
        { max_tokens: 5 },
        { n: 1, max_tokens: 10 },
        { max_tokens: 10 },
      ].map((sampling_params) => ({ model: 'm', sampling_params })),
    );
  });

  test('capacity that an engine brings is used at once', async () => {
    const { engine, open } = await gated();
    const second = await gated();
    const router = await start({ table: table([limited(engine, 1)]) });
    const answers = [ask(router), ask(router)];
    await expect
      .poll(async () => (await router.demand()).models['uid-m']?.queued, { message: 'one waits' })
      .toBe(1);
    const both = limited(engine, 1);
    await router.put(
      table([
        {
          ...both,
          endpoints: [...both.endpoints, engineAt(second.engine.address, 1)],
        },
      ]),
    );
    await expect.poll(() => second.open.length, { message: 'it is at the other engine' }).toBe(1);
    open[0]?.answer();
    second.open[0]?.answer();
    expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([200, 200]);
  });

  test('what runs on an engine that drains, or is gone, takes no capacity from the others', async () => {
    const old = await gated();
    const fresh = await gated();
    const router = await start({ table: table([limited(old.engine, 2)]) });
    const answers = [ask(router), ask(router)];
    await expect.poll(() => old.open.length, { message: 'they run' }).toBe(2);
    const at = (address: string, draining: boolean) => engineAt(address, 2, draining);
    const entry = limited(old.engine, 2);
    await router.put(
      table([{ ...entry, endpoints: [at(old.engine.address, true), at(fresh.engine.address, false)] }]),
    );
    answers.push(ask(router));
    await expect.poll(() => fresh.open.length, { message: 'one runs on the new engine' }).toBe(1);
    await router.put(table([{ ...entry, endpoints: [at(fresh.engine.address, false)] }]));
    answers.push(ask(router), ask(router));
    await expect
      .poll(
        async () => {
          const demand = (await router.demand()).models['uid-m'];
          return fresh.open.length === 2 && demand?.inFlight === 4 && demand.queued === 1;
        },
        { message: 'two run on the new engine, and one waits' },
      )
      .toBeTruthy();
    for (const { answer } of [...old.open, ...fresh.open]) answer();
    await expect.poll(() => fresh.open.length, { message: 'the last one runs' }).toBe(3);
    fresh.open[2]?.answer();
    expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    await expect
      .poll(async () => (await router.demand()).models['uid-m']?.inFlight, {
        message: 'nothing is in flight',
      })
      .toBe(0);
  });
});
