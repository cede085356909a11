/** Tiers of degradation: what they limit, when they are active, and where that shows. */
import { describe, expect, test } from 'vitest';
import type { RouteModel } from '../../../operator/router/route-table.ts';
import { table } from '../../support/route-table.ts';
import {
  answerEach,
  ask,
  askInTurn,
  hold,
  limited,
  type OpenRequest,
  untilDemand,
} from './support/admission.ts';
import { perTest } from './support/per-test.ts';
import type { Router } from './support/router.ts';

type Tiers = RouteModel['admission']['degradation'];

describe('degradation', () => {
  const { engine: startEngine, start } = perTest();

  /** A router before an engine that takes `capacity` requests at a time, and holds them. */
  async function loaded(
    degradation: Tiers,
    capacity = 1,
    limits: { tierHoldMs?: number } = {},
  ): Promise<{ router: Router; open: OpenRequest[] }> {
    const engine = await startEngine();
    const open = hold(engine);
    const models = [limited(engine, capacity, { degradation })];
    return { router: await start({ workers: 1, table: table(models, { limits }) }), open };
  }

  /** What the engine gets of `bodies` while one request runs and another waits. */
  async function sent(degradation: Tiers, path: string, bodies: readonly object[]): Promise<unknown[]> {
    const { router, open } = await loaded(degradation);
    const answers = await askInTurn(router, [{}, {}, ...bodies], path);
    await answerEach(open, 0, answers.length);
    await Promise.all(answers);
    return open.slice(2).map(({ body }) => {
      const { model, ...rest } = JSON.parse(body) as Record<string, unknown>;
      return rest;
    });
  }

  test.each([
    ['/v1/completions', 'max_tokens'],
    ['/v1/chat/completions', 'max_tokens'],
    ['/v1/chat/completions/batch', 'max_tokens'],
    ['/v1/messages', 'max_tokens'],
    ['/cohere/v2/chat', 'max_tokens'],
    ['/invocations', 'max_tokens'],
    ['/v1/responses', 'max_output_tokens'],
  ])('%s: the answers of a request share the limit, and no minimum is above it', async (path, limit) => {
    const bodies = [
      { n: 4, [limit]: 500 },
      { n: 4, [limit]: 20 },
      { n: '3', best_of: 5 },
      { n: 1000 },
      { n: null, [limit]: 500 },
      { min_tokens: 300, [limit]: 500 },
      { min_tokens: 10, [limit]: 500 },
      { min_tokens: '300', n: 2, max_completion_tokens: 400 },
    ];
    expect(await sent([{ queueAbove: 0, maxTokens: 100 }], path, bodies)).toEqual([
      { n: 4, [limit]: 25 },
      { n: 4, [limit]: 20 },
      { [limit]: 20, n: '3', best_of: 5 },
      { [limit]: 1, n: 1000 },
      { n: null, [limit]: 100 },
      { min_tokens: 100, [limit]: 100 },
      { min_tokens: 10, [limit]: 100 },
      { min_tokens: 50, n: 2, max_completion_tokens: 50 },
    ]);
  });

  test('`sampling_params`: likewise', async () => {
    const options = [{ n: 4, max_tokens: 500, min_tokens: 400 }, { min_tokens: 400 }];
    const bodies = options.map((sampling_params) => ({ sampling_params }));
    expect(await sent([{ queueAbove: 0, maxTokens: 100 }], '/inference/v1/generate', bodies)).toEqual([
      { sampling_params: { n: 4, max_tokens: 25, min_tokens: 25 } },
      { sampling_params: { max_tokens: 100, min_tokens: 100 } },
    ]);
  });

  test('a stream that waits with comments has the header and the limit, too', async () => {
    const engine = await startEngine();
    const open = hold(engine);
    const degradation = [{ queueAbove: 0, maxTokens: 9 }];
    const limits = { commentAfterMs: 10, commentEveryMs: 10 };
    const router = await start({
      workers: 1,
      table: table([limited(engine, 1, { degradation })], { limits }),
    });
    const answers = await askInTurn(router, [{}, {}]);
    const stream = await fetch(`${router.url}/v1/completions`, {
      method: 'POST',
      body: JSON.stringify({ model: 'm', stream: true, max_tokens: 50 }),
    });
    expect(stream.headers.get('x-degraded')).toBe('tier=1, max_tokens=9');
    await answerEach(open, 0, 3);
    await Promise.all([...answers, stream.text()]);
    expect(JSON.parse(open[2]?.body ?? '')).toMatchObject({ stream: true, max_tokens: 9 });
  });

  test('a tier that does not limit tokens leaves requests as they are', async () => {
    const bodies = [{ max_tokens: 500 }, { prompt: 'x'.repeat(100) }];
    expect(await sent([{ queueAbove: 0, maxPromptTokens: 1000 }], '/v1/completions', bodies)).toEqual(bodies);
  });

  test('a prompt that is too long is a 413 in the form of its API, which says when and how to try again', async () => {
    const { router, open } = await loaded([{ queueAbove: 0, maxTokens: 50, maxPromptTokens: 200 }]);
    const text = 'word '.repeat(400);
    const answers = await askInTurn(router, [{ prompt: text }, {}]);
    const completions = await ask(router, { prompt: text });
    expect(completions.status).toBe(413);
    expect(completions.headers.get('x-degraded')).toBe('tier=1, max_tokens=50, max_prompt_tokens=200');
    expect(Number(completions.headers.get('retry-after'))).toBeGreaterThan(0);
    const message =
      'The model is overloaded and takes prompts of at most 200 tokens for now; this one has about 507. Shorten it, or try again later.';
    expect(completions.body).toEqual({
      error: { message, type: 'RequestTooLargeError', param: null, code: 413 },
    });
    const image = [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'data:,' } }] }];
    expect((await ask(router, { messages: image }, { path: '/v1/chat/completions' })).status).toBe(413);
    const messages = await ask(
      router,
      { messages: [{ role: 'user', content: text }] },
      { path: '/v1/messages' },
    );
    expect(messages.body).toMatchObject({ type: 'error', error: { type: 'request_too_large' } });
    answers.push(ask(router, { prompt: 'word '.repeat(100) }));
    await answerEach(open, 0, 3);
    expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([200, 200, 200]);
    await expect
      .poll(async () => await router.metrics())
      .toContain('rejected_total{model="m",namespace="team-a",reason="prompt_too_long"} 3\n');
  });

  test('fewer requests run at a time, and the report to the operator has the tier', async () => {
    const { router, open } = await loaded([{ queueAbove: 1, inFlightPercent: 50 }], 4);
    const answers = await askInTurn(
      router,
      Array.from({ length: 7 }, () => ({})),
    );
    await expect.poll(() => open.length).toBe(4);
    for (const { answer } of open.slice(0, 2)) answer();
    await untilDemand(router, { inFlight: 2, queued: 3 });
    expect((await router.demand()).models['uid-m']?.tier).toBe(1);
    await answerEach(open, 2, 7);
    const all = await Promise.all(answers);
    expect(all.map(({ status }) => status)).toEqual(Array(7).fill(200));
    expect(all.at(-1)?.headers.get('x-degraded')).toBe('tier=1, in_flight_percent=50');
  });

  test('an active tier stays while the queue is above 80 % of its threshold, and ends a while after that', async () => {
    const quiet = await loaded([{ queueAbove: 4, maxTokens: 9 }], 1, { tierHoldMs: 500 });
    const busy = await loaded([{ queueAbove: 4, maxTokens: 9 }], 1, { tierHoldMs: 500 });
    const tier = async (router: Router) => (await router.demand()).models['uid-m']?.tier;
    const answers = await Promise.all(
      [busy, quiet].map(
        async ({ router }) =>
          await askInTurn(
            router,
            Array.from({ length: 6 }, () => ({})),
          ),
      ),
    );
    expect([await tier(busy.router), await tier(quiet.router)]).toEqual([1, 1]);
    await answerEach(busy.open, 0, 1);
    await untilDemand(busy.router, { queued: 4 });
    await answerEach(quiet.open, 0, 6);
    // A tier is looked at with each request and each report.
    await expect
      .poll(async () => [await tier(busy.router), await tier(quiet.router)])
      .toEqual([1, undefined]);
    await answerEach(busy.open, 1, 6);
    await Promise.all(answers.flat());
    await expect.poll(async () => await tier(busy.router)).toBe(undefined);
  });

  test('the 95th percentile of latency, counted by all workers, makes a tier active', async () => {
    const engine = await startEngine();
    engine.answer = (_, response) => void setTimeout(() => response.end('{}'), 50);
    const degradation = [
      { p95AboveMs: 600_000, maxTokens: 1 },
      { p95AboveMs: 20, maxTokens: 9 },
    ];
    const router = await start({ workers: 2, table: table([limited(engine, 64, { degradation })]) });
    const answers = async (count: number) =>
      await Promise.all(Array.from({ length: count }, async () => await ask(router)));
    expect((await answers(19)).map(({ headers }) => headers.get('x-degraded'))).toEqual(Array(19).fill(null));
    expect(await router.metrics()).not.toContain('vllm_router_recent_p95_seconds{');
    await answers(1);
    await expect
      .poll(async () => await router.metrics())
      .toMatch(
        /recent_p95_seconds\{model="m",namespace="team-a"\} 0\.0[4-9]|recent_p95_seconds\{.*\} (0\.[1-9]|[1-9])/,
      );
    expect((await answers(4)).map(({ headers }) => headers.get('x-degraded'))).toEqual(
      Array(4).fill('tier=1, max_tokens=9'),
    );
  });

  test('clients that hang up at once do not hide a high latency', async () => {
    const engine = await startEngine();
    engine.answer = (_, response) => void setTimeout(() => response.end('{}'), 300);
    const degradation = [{ p95AboveMs: 100, maxTokens: 9 }];
    const router = await start({ workers: 1, table: table([limited(engine, 640, { degradation })]) });
    await Promise.all(Array.from({ length: 20 }, async () => await ask(router)));
    const recent = async () =>
      Number(/recent_p95_seconds\{.*\} (.*)/.exec(await router.metrics())?.[1] ?? Number.NaN);
    await expect.poll(recent).toBeGreaterThan(0.1);
    const before = await recent();
    engine.answer = () => undefined;
    const gone = new AbortController();
    const quitters = Array.from(
      { length: 200 },
      async () => await ask(router, {}, { signal: gone.signal }).catch((error: unknown) => error),
    );
    await expect.poll(() => engine.requests.length).toBe(220);
    gone.abort();
    await Promise.all(quitters);
    await untilDemand(router, { inFlight: 0 });
    expect(await recent()).toBeGreaterThanOrEqual(before);
  });
});
