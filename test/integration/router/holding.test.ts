import { request } from 'undici';
import { describe, expect, test } from 'vitest';
import { createSimServer } from '../../../hack/vllm-sim/sim-server.ts';
import { LOAD_DEFAULTS } from '../../../operator/bench/load-plan.ts';
import { runLoad } from '../../../operator/bench/run-load.ts';
import { model, rules, table } from '../../support/route-table.ts';
import { perTest } from './support/per-test.ts';
import type { Router } from './support/router.ts';
import { openStream } from './support/stream.ts';

describe('holding requests for a model without engines', () => {
  const { engine, start, keep } = perTest();
  const ask = async (router: Router, signal?: AbortSignal) =>
    await fetch(`${router.url}/v1/completions`, {
      method: 'POST',
      body: '{"model":"m"}',
      ...(signal && { signal }),
    });
  const held = async (router: Router) => (await router.demand()).models['uid-m']?.held ?? 0;

  test('the operator is notified at once, and the requests continue as soon as an engine is ready', async () => {
    const upstream = await engine();
    const router = await start({ table: table([model('m', [])]) });
    const { seq } = await router.demand();
    const poll = router.demand(seq, 30_000);
    const answers = Promise.all(
      Array.from({ length: 50 }, async () => {
        const { status, headers } = await ask(router);
        return `${status} ${headers.get('server-timing')?.replace(/\d+/, 'N')}`;
      }),
    );
    const demand = await poll;
    expect(demand.seq).toBeGreaterThan(seq);
    expect(demand.models['uid-m']?.held).toBeGreaterThan(0);
    await expect.poll(async () => await held(router), { message: 'all are held' }).toBe(50);
    await router.put(table([model('m', [upstream.address])]));
    expect(new Set(await answers)).toEqual(new Set(['200 hold;dur=N']));
    expect((await ask(router)).headers.get('server-timing')).toBeNull();
    expect(upstream.requests.length).toBe(51);
    // A request is counted out after its answer, which its client may have read by then.
    await expect
      .poll(() => router.demand(), { message: 'all have ended' })
      .toMatchObject({ models: { 'uid-m': { held: 0, inFlight: 0 } } });
  });

  test('the load generator reports them apart from those that did not wait', async () => {
    const sim = keep(
      await createSimServer({
        args: ['org/m', '--served-model-name', 'm', '--host', '127.0.0.1', '--port', '0'],
        env: { VLLM_SIM_TIME_SCALE: '0.001', VLLM_SIM_STARTUP_SECONDS: '0' },
      }),
    );
    const router = await start({ table: table([model('m', [])]) });
    const workload = { kind: 'random', promptTokens: 10, outputTokens: 5 } as const;
    const rate = { rates: [20], seconds: 0.5, warmUpSeconds: 0, rampSeconds: 0 };
    const plan = { ...LOAD_DEFAULTS, ...rate, url: router.url, model: 'm', workload };
    const { signal } = new AbortController();
    const cold = runLoad(plan, { signal });
    await expect.poll(async () => await held(router), { message: 'all are held' }).toBe(10);
    await router.put(table([model('m', [`127.0.0.1:${sim.port}`])]));
    expect((await cold).steps).toMatchObject([
      { completed: 10, errors: {}, coldStartMs: { count: 10 }, latencyMs: { count: 0 } },
    ]);
    expect((await runLoad(plan, { signal })).steps).toMatchObject([
      { completed: 10, errors: {}, coldStartMs: { count: 0 }, latencyMs: { count: 10 } },
    ]);
  });

  test('a quiet router answers the long poll after the wait, and one that asks since 0 at once', async () => {
    const router = await start({ table: table([model('m', [])]) });
    const { seq } = await router.demand(0, 30_000);
    expect(await router.demand(seq, 20)).toMatchObject({ seq, models: {} });
  });

  test('a hold that expires is a 504, a full one 503, both say when to come again', async () => {
    const router = await start({
      table: table([model('m', [], { admission: rules({ maxQueue: 1, wakeTimeoutMs: 400 }) })]),
    });
    const first = ask(router);
    await expect.poll(async () => await held(router), { message: 'it is held' }).toBe(1);
    const refused = await ask(router);
    expect(refused.status).toBe(503);
    expect(refused.headers.get('retry-after')).toBeTruthy();
    const expired = await first;
    expect(expired.status).toBe(504);
    expect(expired.headers.get('retry-after')).toBeTruthy();
    expect(await expired.json()).toMatchObject({
      error: {
        type: 'GatewayTimeoutError',
        code: 504,
        message: expect.stringMatching(
          /did not start within [\d.]+ s \(admission\.wakeTimeout\)\. Its status says/,
        ),
      },
    });
    expect(await held(router)).toBe(0);
  });

  test('a client that goes away leaves its place', async () => {
    const router = await start({ table: table([model('m', [], { admission: rules({ maxQueue: 1 }) })]) });
    const client = new AbortController();
    const gone = ask(router, client.signal).catch(() => 'aborted');
    await expect.poll(async () => await held(router), { message: 'it is held' }).toBe(1);
    client.abort();
    expect(await gone).toBe('aborted');
    await expect.poll(async () => await held(router), { message: 'its place is free' }).toBe(0);
  });

  test('a model that cannot be woken after all, or is removed, lets its requests go with 503 and 404', async () => {
    const router = await start({ table: table([model('m', []), model('n', [])]) });
    const first = ask(router);
    const second = fetch(`${router.url}/v1/completions`, { method: 'POST', body: '{"model":"n"}' });
    await expect
      .poll(
        async () => {
          const { models } = await router.demand();
          return models['uid-m']?.held === 1 && models['uid-n']?.held === 1;
        },
        { message: 'both are held' },
      )
      .toBeTruthy();
    await router.put(
      table([model('m', [], { unavailable: { reason: 'NoCapacity', message: 'The pool is full.' } })]),
    );
    expect((await first).status).toBe(503);
    expect((await second).status).toBe(404);
  });

  test('listing models and refused requests wake nothing', async () => {
    const router = await start({ table: table([model('m', [])]) });
    const { seq } = await router.demand();
    await (await fetch(`${router.url}/v1/models`)).text();
    await (await fetch(`${router.url}/v1/models/m`)).text();
    await (await fetch(`${router.url}/health`)).text();
    expect(await router.demand(seq, 50)).toMatchObject({ seq, models: {} });
  });

  describe('streams that wait long', () => {
    // Seconds of the real thing made milliseconds.
    const limits = { commentAfterMs: 200, commentEveryMs: 100 };

    test('get comments, then the answer; the engine gets the request as it was sent', async () => {
      const upstream = await engine();
      const router = await start({ table: table([model('m', [])]), limits });
      const stream = await openStream(router.url, { model: 'm', messages: [{ role: 'user', content: 'ä' }] });
      expect(stream.status).toBe(200);
      expect(stream.headers['content-type']).toContain('text/event-stream');
      expect(stream.headers['server-timing']).toBe('hold');
      await expect
        .poll(() => (stream.text().match(/^: /gm) ?? []).length >= 3, { message: 'three comments' })
        .toBe(true);
      expect(stream.text()).not.toContain('data:');
      await router.put(table([model('m', [upstream.address])]));
      await expect.poll(() => upstream.streams.size, { message: 'the engine has it' }).toBe(1);
      expect(JSON.parse(upstream.requests[0]?.body.toString() ?? '')).toEqual({
        stream: true,
        stream_options: { include_usage: true },
        model: 'm',
        messages: [{ role: 'user', content: 'ä' }],
      });
      upstream.push('one');
      await expect
        .poll(() => stream.text().includes('data: one\n\n'), { message: 'the event is there' })
        .toBeTruthy();
      expect((await router.demand()).models['uid-m']).toMatchObject({ inFlight: 1 });
      upstream.finish();
      expect(await stream.ended).toBe('complete');
      expect(stream.text().endsWith('data: [DONE]\n\n')).toBe(true);
      await expect
        .poll(async () => (await router.demand()).models['uid-m']?.inFlight, {
          message: 'nothing is in flight',
        })
        .toBe(0);
    });

    test('get none where there is no room for their body twice, and the answer all the same', async () => {
      const upstream = await engine();
      const router = await start({
        table: table([model('m', [])]),
        limits,
        workers: 1,
        maxBodySize: 100_000,
        maxBodiesSize: 150_000,
      });
      const stream = async (text: string) =>
        await openStream(router.url, { model: 'm', messages: [{ role: 'user', content: text }] });
      const large = stream('x'.repeat(90_000));
      await expect
        .poll(async () => (await router.demand()).models['uid-m']?.held, { message: 'it is held' })
        .toBe(1);
      const small = await stream('x');
      expect(small.headers['content-type']).toContain('text/event-stream');
      await router.put(table([model('m', [upstream.address])]));
      await expect.poll(() => upstream.streams.size, { message: 'the engine has both' }).toBe(2);
      upstream.finish();
      expect([await small.ended, await (await large).ended]).toEqual(['complete', 'complete']);
      expect(small.text()).toContain(': waiting');
      expect((await large).text()).not.toContain(': waiting');
      expect(upstream.requests.map(({ body }) => body.length > 90_000).sort()).toEqual([false, true]);
    });

    test('reach the engine with the headers that they have without waiting', async () => {
      const [upstream, other] = [await engine(), await engine()];
      const router = await start({
        table: table([
          model('m', [], { admission: rules({}) }),
          model('n', [upstream.address]),
          model('o', [other.address]),
        ]),
        limits: { commentAfterMs: 100 },
      });
      const ask = async (name: string) =>
        await request(`${router.url}/v1/messages`, {
          method: 'POST',
          headers: {
            authorization: 'Bearer of-the-engine',
            cookie: 'a=b',
            'anthropic-beta': ['one', 'two'],
            'x-long': 'x'.repeat(15_000),
            'x-forwarded-for': '192.0.2.1',
            'x-relay-model': 'uid-o',
            'content-type': 'application/json; charset=utf-8',
          },
          body: JSON.stringify({ model: name, stream: true }),
        });
      const late = await ask('m');
      await router.put(
        table([model('m', [upstream.address]), model('n', [upstream.address]), model('o', [other.address])]),
      );
      await expect.poll(() => upstream.streams.size, { message: 'it is at the engine' }).toBe(1);
      const direct = await ask('n');
      upstream.finish();
      await Promise.all([late.body.dump(), direct.body.dump()]);
      const [first, second] = upstream.requests.map(({ headers }) => headers);
      const apart = ['content-length', 'x-request-id', 'traceparent', 'x-forwarded-for', 'x-relay-model'];
      for (const name of new Set([...Object.keys(first ?? {}), ...Object.keys(second ?? {})])) {
        if (!apart.includes(name)) expect(first?.[name], name).toEqual(second?.[name]);
      }
      expect(first?.['x-forwarded-for']).toMatch(/^192\.0\.2\.1, 127\./);
      expect(Object.keys(first ?? {}).filter((name) => name.startsWith('x-relay'))).toEqual([]);
      expect(other.requests).toEqual([]);
    });

    test('get errors as events: when time is up, and when the engine dies', async () => {
      const upstream = await engine();
      const router = await start({
        table: table([
          model('m', [], { admission: rules({ wakeTimeoutMs: 600 }) }),
          model('n', [], { admission: rules({ wakeTimeoutMs: 60_000 }) }),
        ]),
        limits,
      });
      const expired = await openStream(router.url, { model: 'm' });
      await expired.ended;
      expect(expired.text()).toMatch(/data: \{"error":\{.*"code":504\}\}\n\n$/);
      const cut = await openStream(router.url, { model: 'n' });
      await router.put(table([model('n', [upstream.address])]));
      await expect.poll(() => upstream.streams.size, { message: 'the engine has it' }).toBe(1);
      await upstream.kill();
      await cut.ended;
      expect(cut.text()).toMatch(/data: \{"error":\{.*"code":502\}\}\n\n$/);
    });
  });
});
