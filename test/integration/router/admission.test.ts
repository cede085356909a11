import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { engineAt, table } from '../../support/route-table.ts';
import { answerEach, ask, askInTurn, hold, limited, untilDemand } from './support/admission.ts';
import { perTest } from './support/per-test.ts';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

describe('admission', () => {
  const { engine: startEngine, start } = perTest();
  /** An engine whose requests wait, and those that came to it. */
  const gated = async () => {
    const engine = await startEngine();
    return { engine, open: hold(engine) };
  };
  const sent = (open: readonly { body: string }[]) =>
    open.map(({ body }) => JSON.parse(body) as Record<string, unknown>);

  test('no more requests run than the engines have capacity; the rest wait their turn, and one too many is a 429', async () => {
    const { engine, open } = await gated();
    const router = await start({ table: table([limited(engine, 4, { maxQueue: 8 })]) });
    const answers = Array.from({ length: 12 }, async () => await ask(router));
    await untilDemand(router, { inFlight: 4, queued: 8 });
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
      .poll(async () => await router.metrics(), { message: 'all workers have handed over' })
      .toContain('queue_seconds_count{model="m",namespace="team-a"} 8\n');
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
    const keys = ['many', 'few'].map((tenant) => ({ sha256: sha256(tenant), tenant }));
    const router = await start({
      workers: 1,
      table: table([limited(engine, 1)], { auth: 'APIKey', keys }),
    });
    const as = async (key: string) =>
      await ask(router, { prompt: key }, { headers: { authorization: `Bearer ${key}` } });
    const many = Array.from({ length: 100 }, async () => await as('many'));
    await untilDemand(router, { queued: 99 });
    const few = as('few');
    await untilDemand(router, { queued: 100 });
    await answerEach(open, 0, 3);
    expect((await few).status).toBe(200);
    await answerEach(open, 3, 101);
    await Promise.all(many);
  });

  test('namespaces take turns, however many tenants one has', async () => {
    const { engine, open } = await gated();
    const tenants = ['team-b/1', 'team-b/2', 'team-b/3', 'team-c'];
    const keys = tenants.map((tenant) => ({ sha256: sha256(tenant), tenant }));
    const router = await start({
      workers: 1,
      table: table([limited(engine, 1)], { auth: 'APIKey', keys }),
    });
    const answers: Promise<unknown>[] = [];
    for (const [i, tenant] of [
      'team-c',
      'team-b/1',
      'team-b/1',
      'team-b/2',
      'team-b/3',
      'team-c',
    ].entries()) {
      answers.push(ask(router, { prompt: tenant }, { headers: { authorization: `Bearer ${tenant}` } }));
      await untilDemand(router, { inFlight: 1, queued: i });
    }
    await answerEach(open, 0, answers.length);
    await Promise.all(answers);
    expect(sent(open).map(({ prompt }) => prompt)).toEqual([
      'team-c',
      'team-b/1',
      'team-c',
      'team-b/2',
      'team-b/3',
      'team-b/1',
    ]);
  });

  test('as the queue grows, responses get shorter, and a header shows it', async () => {
    const { engine, open } = await gated();
    const degradation = [
      { queueAbove: 2, maxTokens: 10 },
      { queueAbove: 0, maxTokens: 100 },
    ];
    const router = await start({ workers: 1, table: table([limited(engine, 1, { degradation })]) });
    const bodies = [
      { max_tokens: 500 },
      { max_tokens: 500 },
      { max_tokens: 500 },
      {},
      { max_tokens: 5 },
      { max_completion_tokens: 50 },
      { max_completion_tokens: 0 },
    ];
    const answers = await askInTurn(
      router,
      bodies.map((body, i) => ({ ...body, i })),
    );
    await answerEach(open, 0, bodies.length);
    expect(sent(open)).toEqual([
      { model: 'm', max_tokens: 500, i: 0 },
      { model: 'm', max_tokens: 500, i: 1 },
      { model: 'm', max_tokens: 100, i: 2 },
      { model: 'm', max_tokens: 100, i: 3 },
      { model: 'm', max_tokens: 5, i: 4 },
      { model: 'm', max_completion_tokens: 10, i: 5 },
      { model: 'm', max_tokens: 10, max_completion_tokens: 0, i: 6 },
    ]);
    const told = (await Promise.all(answers)).map(({ headers }) => headers.get('x-degraded'));
    expect(told).toEqual([
      null,
      null,
      'tier=1, max_tokens=100',
      'tier=1, max_tokens=100',
      'tier=2, max_tokens=10',
      'tier=2, max_tokens=10',
      'tier=2, max_tokens=10',
    ]);
  });

  test('answers get shorter where `sampling_params` has their length, too', async () => {
    const { engine, open } = await gated();
    const degradation = [{ queueAbove: 0, maxTokens: 10 }];
    const router = await start({ workers: 1, table: table([limited(engine, 1, { degradation })]) });
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
    const bodies = options.map((sampling_params) => ({ sampling_params }));
    const answers = await askInTurn(router, bodies, '/inference/v1/generate');
    await answerEach(open, 0, options.length);
    await Promise.all(answers);
    expect(sent(open)).toEqual(
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
    await untilDemand(router, { queued: 1 });
    const both = limited(engine, 1);
    await router.put(
      table([{ ...both, endpoints: [...both.endpoints, engineAt(second.engine.address, 1)] }]),
    );
    await expect.poll(() => second.open.length, { message: 'it is at the other engine' }).toBe(1);
    open[0]?.answer();
    second.open[0]?.answer();
    expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([200, 200]);
  });

  test('requests on a draining or removed engine use no capacity of the others', async () => {
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
    await untilDemand(router, { inFlight: 4, queued: 1 });
    await expect.poll(() => fresh.open.length, { message: 'two run on the new engine' }).toBe(2);
    for (const { answer } of [...old.open, ...fresh.open]) answer();
    await expect.poll(() => fresh.open.length, { message: 'the last one runs' }).toBe(3);
    fresh.open[2]?.answer();
    expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    await untilDemand(router, { inFlight: 0 });
  });
});
