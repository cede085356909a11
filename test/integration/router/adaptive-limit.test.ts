/** Limits that adapt to the time per output token: the algorithm with a simulated engine, and what routers measure and limit. */
import { describe, expect, test } from 'vitest';
import type { RouteModel } from '../../../operator/router/route-table.ts';
import { table } from '../../support/route-table.ts';
import { ask, askInTurn, hold, limited, untilDemand } from './support/admission.ts';
import type { Engine } from './support/engine.ts';
import { perTest } from './support/per-test.ts';
import type { Router } from './support/router.ts';
import { runInNginx } from './support/run-in-nginx.ts';

const FLOOR = 32;
const CEILING = 128;
const MANY = 30;

test('a limit stays about the knee of an engine, forgets what was once, and recovers from what lasts', async () => {
  const lines = (await runInNginx('adaptive-limit.lua')).trim().split('\n');
  const phases = lines.map((line) => {
    const [name = '', ...numbers] = line.split('\t');
    const [knee = 0, lowest = 0, highest = 0] = numbers.map(Number);
    return { name, knee, lowest, highest };
  });
  const named = (name: string) => phases.filter((phase) => phase.name === name);
  expect(named('busy')).toHaveLength(10);
  for (const { name, knee, lowest, highest } of phases.filter((phase) => /^busy|^after/.test(phase.name))) {
    expect(lowest, `${name} at ${knee}`).toBeGreaterThan(0.8 * knee);
    expect(highest, `${name} at ${knee}`).toBeLessThan(1.35 * knee);
  }
  for (const { lowest, highest } of [...named('quiet'), ...named('slow')])
    expect([lowest, highest]).toEqual([FLOOR, FLOOR]);
  for (const { lowest, knee } of named('once slow')) expect(lowest).toBeGreaterThan(0.7 * knee);
  for (const { highest } of named('slow for good')) expect(highest).toBeGreaterThan(FLOOR);
  expect(named('hostile')).toMatchObject([{ lowest: FLOOR, highest: CEILING }]);
});

describe('a router', () => {
  const { engine, start } = perTest();
  const limits = { adaptEveryMs: 0 };

  const adaptive = (upstream: Engine, min: number, max: number, capacity = 64): RouteModel =>
    limited(upstream, capacity, { adaptiveConcurrency: { min, max } });
  const limit = async (router: Router) =>
    Number(
      /vllm_router_adaptive_limit\{model="m",namespace="team-a"\} (\S+)/.exec(await router.metrics())?.[1],
    );
  const completion = (completion_tokens: number) => {
    const usage = { prompt_tokens: 1, completion_tokens, total_tokens: 1 + completion_tokens };
    return JSON.stringify({ object: 'text_completion', choices: [], usage });
  };
  /** Has more requests come at once than the limit is, and answers each with so many tokens. */
  const serve = async (
    router: Router,
    upstream: Engine,
    completion_tokens: number,
    { status = 200, path = '/v1/completions' } = {},
  ) => {
    upstream.answer = (_request, response) => {
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(completion(completion_tokens));
    };
    const asked = Array.from({ length: MANY }, async () => (await ask(router, {}, { path })).status);
    expect([...new Set(await Promise.all(asked))]).toEqual([status]);
    await untilDemand(router, { inFlight: 0, queued: 0 });
  };

  test('lets as many requests run as the limit says, and has the others wait', async () => {
    const upstream = await engine();
    const open = hold(upstream);
    const router = await start({ table: table([adaptive(upstream, 2, 4)], { limits }) });
    expect(await limit(router)).toBe(2);
    const answers = await askInTurn(router, [{}, {}, {}]);
    await untilDemand(router, { inFlight: 2, queued: 1 });
    expect(open).toHaveLength(2);
    await router.put(table([adaptive(upstream, 3, 4)], { limits }));
    await expect.poll(() => open.length).toBe(3);
    for (const request of open) request.answer();
    expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([200, 200, 200]);
    await router.put(table([adaptive(upstream, 32, 64, 8)], { limits }));
    expect(await limit(router)).toBe(8);
    await router.put(table([limited(upstream, 8)], { limits }));
    expect(await limit(router)).toBeNaN();
  });

  test('raises a limit that is in use by what long answers took, never above its ceiling, and not by other answers', async () => {
    const upstream = await engine();
    const router = await start({ table: table([adaptive(upstream, 2, 4)], { limits }) });
    await serve(router, upstream, 15);
    await serve(router, upstream, 100_000, { status: 400 });
    await serve(router, upstream, 100_000, { path: '/tokenize' });
    expect(await limit(router)).toBe(2);
    await expect
      .poll(async () => {
        await serve(router, upstream, 100_000);
        return await limit(router);
      })
      .toBe(4);
    await serve(router, upstream, 100_000);
    expect(await limit(router)).toBeLessThanOrEqual(4);
  });

  test('lowers it to the floor when tokens take longer, and no further', async () => {
    const upstream = await engine();
    const router = await start({ table: table([adaptive(upstream, 2, 4)], { limits }) });
    await expect
      .poll(async () => {
        await serve(router, upstream, 1_000_000);
        return await limit(router);
      })
      .toBe(4);
    await expect
      .poll(async () => {
        await serve(router, upstream, 16);
        return await limit(router);
      })
      .toBe(2);
    await serve(router, upstream, 16);
    expect(await limit(router)).toBeGreaterThanOrEqual(2);
  });

  test('changes it once for answers that were under way together', async () => {
    const upstream = await engine();
    const router = await start({ table: table([adaptive(upstream, MANY, MANY)], { limits }) });
    const together = async (completionTokens: number) => {
      const open: (() => void)[] = [];
      upstream.answer = (_request, response) => open.push(() => response.end(completion(completionTokens)));
      const asked = Array.from({ length: MANY }, async () => (await ask(router)).status);
      await expect.poll(() => open.length).toBe(MANY);
      for (const answer of open) answer();
      expect(await Promise.all(asked)).toEqual(asked.map(() => 200));
      await untilDemand(router, { inFlight: 0 });
    };
    await together(100_000);
    await router.put(table([adaptive(upstream, 10, MANY)], { limits }));
    expect(await limit(router)).toBe(MANY);
    await together(16);
    expect(await limit(router)).toBe(0.9 * MANY);
  });
});
