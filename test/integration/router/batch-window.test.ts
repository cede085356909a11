/** Batching windows: which requests wait in them, and how latency shortens them. */
import { describe, expect, test } from 'vitest';
import type { RouteModel } from '../../../operator/router/route-table.ts';
import { model, rules, table } from '../../support/route-table.ts';
import { ask, hold, limited, untilDemand } from './support/admission.ts';
import { perTest } from './support/per-test.ts';
import type { Router } from './support/router.ts';
import { runInNginx } from './support/run-in-nginx.ts';

const MANY = 40;
const HOUR = 3_600_000;

test('a guardrail ends a window before a slow engine, gives it back, and finds the length that latency allows', async () => {
  const lines = (await runInNginx('window-guardrail.lua')).trim().split('\n');
  expect(lines).toHaveLength(8 * 10);
  for (const line of lines) {
    const [name = '', seed, ...numbers] = line.split('\t');
    const [shortest = 0, longest = 0, outside] = numbers.map(Number);
    expect(outside, line).toBe(0);
    if (name === 'too long a window') {
      // Latency is between 80 % of the target and the target from a quarter to half of the window.
      expect(shortest, `${name} ${seed}`).toBeGreaterThanOrEqual(0.25);
      expect(longest, `${name} ${seed}`).toBeLessThanOrEqual(0.5);
    } else {
      const whole = name.startsWith('slow') ? 0 : 1;
      expect([shortest, longest], `${name} ${seed}`).toEqual([whole, whole]);
    }
  }
});

describe('a batching window', () => {
  const { engine, start } = perTest();

  const window = (lengthMs: number, maxP95Ms = HOUR): Partial<RouteModel['admission']> => ({
    batchWindow: { lengthMs, maxP95Ms },
  });
  const statuses = async (router: Router, path = '/v1/completions') => {
    const asked = Array.from({ length: MANY }, async () => (await ask(router, {}, { path })).status);
    return [...new Set(await Promise.all(asked))];
  };
  const metric = async (router: Router, name: string) => {
    const [, value] = new RegExp(`vllm_router_${name}\\{model="m",namespace="team-a"\\} (\\S+)`).exec(
      await router.metrics(),
    ) ?? [undefined, undefined];
    return value === undefined ? undefined : Number(value);
  };

  test('releases those together that arrive in one, and counts windows, requests and how long they waited', async () => {
    const upstream = await engine();
    const router = await start({ table: table([limited(upstream, 64, window(50))]) });
    expect(await statuses(router)).toEqual([200]);
    await expect.poll(() => metric(router, 'batch_seconds_count')).toBe(MANY);
    expect(await metric(router, 'batches_total')).toBeLessThan(MANY);
    expect(await metric(router, 'batch_seconds_sum')).toBeGreaterThan(0);
    expect(await metric(router, 'batch_window_seconds')).toBe(0.05);
  });

  test('is not for requests that generate nothing, websockets, a model that sleeps, nor without the setting', async () => {
    const upstream = await engine();
    const router = await start({ table: table([limited(upstream, 64, window(50))]) });
    expect(await statuses(router, '/tokenize')).toEqual([200]);
    expect((await fetch(`${router.url}/v1/realtime?model=m`)).status).toBe(200);
    await router.put(table([model('m', [], { admission: rules(window(50)) })]));
    const held = ask(router);
    await untilDemand(router, { held: 1 });
    await router.put(table([limited(upstream, 64)]));
    expect((await held).status).toBe(200);
    expect(await statuses(router)).toEqual([200]);
    await expect.poll(() => metric(router, 'request_seconds_count')).toBe(2 * MANY + 2);
    expect(await router.metrics()).not.toMatch(/vllm_router_batch\w*\{/);
  });

  test('becomes shorter while latency is above the target, down to none, and longer when it allows', async () => {
    const upstream = await engine();
    const router = await start({ table: table([limited(upstream, 64, window(40))]) });
    expect(await statuses(router)).toEqual([200]);
    await expect.poll(() => metric(router, 'request_seconds_count')).toBe(MANY);
    const lengthWith = async (maxP95Ms: number) => {
      const limits = { batchWindowEveryMs: 0 };
      expect(
        (await router.put(table([limited(upstream, 64, window(40, maxP95Ms))], { limits }))).status,
      ).toBe(200);
      return async () => await metric(router, 'batch_window_seconds');
    };
    await expect.poll(await lengthWith(0)).toBe(0);
    const counted = await metric(router, 'batch_seconds_count');
    expect((await ask(router)).status).toBe(200);
    expect(await metric(router, 'batch_seconds_count')).toBe(counted);
    await expect.poll(await lengthWith(HOUR)).toBe(0.04);
  });

  test('is left by a client that hangs up, and by requests of a model that goes meanwhile', async () => {
    const upstream = await engine();
    const open = hold(upstream);
    const router = await start({ table: table([limited(upstream, 64, window(50))]) });
    const controller = new AbortController();
    const gone = ask(router, {}, { signal: controller.signal }).catch(() => 'gone');
    controller.abort();
    expect(await gone).toBe('gone');
    const stays = ask(router);
    await expect.poll(() => open.length).toBeGreaterThan(0);
    for (const request of open) request.answer();
    expect((await stays).status).toBe(200);
    await untilDemand(router, { inFlight: 0, queued: 0 });
  });

  test('is waited for once by a request whose first engine took no connection', async () => {
    const gone = await engine();
    await gone.close();
    const upstream = await engine();
    const router = await start({ table: table([limited(gone, 64, window(50))]) });
    const asked = ask(router);
    await untilDemand(router, { queued: 1 });
    await router.put(table([limited(upstream, 64, window(50))]));
    expect((await asked).status).toBe(200);
    await expect.poll(() => metric(router, 'request_seconds_count')).toBe(1);
    expect(await metric(router, 'batch_seconds_count')).toBe(1);
  });
});
