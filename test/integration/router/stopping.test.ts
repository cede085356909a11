import { describe, expect, test } from 'vitest';
import { model, table } from '../../support/route-table.ts';
import { perTest } from './support/per-test.ts';
import type { Router } from './support/router.ts';
import { openStream } from './support/stream.ts';

const LEAVE_SOON = { VLLM_ROUTER_LEAVE_SECONDS: '0.1' };

describe('a router that is stopped', () => {
  const { engine, start } = perTest();
  const held = async (router: Router) => (await router.demand()).models['uid-m']?.held ?? 0;
  const isUp = async (router: Router) =>
    await fetch(`${router.metricsUrl}/healthz`).then(
      () => true,
      () => false,
    );

  test('still learns where to send what it holds, and goes when all is answered', async () => {
    const upstream = await engine();
    // Streams wait in another way once they have been sent a comment.
    const router = await start({
      table: table([model('m', [])]),
      limits: { commentAfterMs: 100, commentEveryMs: 100 },
      env: LEAVE_SOON,
    });
    const plain = fetch(`${router.url}/v1/completions`, { method: 'POST', body: '{"model":"m"}' });
    const stream = await openStream(router.url, { model: 'm' });
    await expect.poll(async () => await held(router), { message: 'both are held' }).toBe(2);

    process.kill(router.pid, 'SIGTERM');
    await expect
      .poll(async () => (await router.metrics()).includes('vllm_router_draining 1'), { message: 'it knows' })
      .toBeTruthy();
    await router.put(table([model('m', [upstream.address])]));

    expect((await plain).status).toBe(200);
    await expect.poll(() => upstream.streams.size, { message: 'the engine has the stream' }).toBe(1);
    expect((await router.demand()).models['uid-m']).toMatchObject({ inFlight: 1, held: 0 });
    upstream.push('one');
    upstream.finish();
    expect(await stream.ended).toBe('complete');
    expect(stream.text()).toContain('data: one\n\n');
    await expect.poll(async () => !(await isUp(router)), { message: 'it is gone' }).toBe(true);
  });

  test('serves on over connections that clients have, and ends each with its answer', async () => {
    const upstream = await engine();
    const router = await start({
      table: table([model('m', [upstream.address])]),
      limits: { drainPatienceMs: 1000 },
      env: LEAVE_SOON,
    });
    const stream = await openStream(router.url, { model: 'm' });
    process.kill(router.pid, 'SIGTERM');
    await expect
      .poll(async () => (await router.metrics()).includes('vllm_router_draining 1'), { message: 'it knows' })
      .toBeTruthy();
    const answer = await fetch(`${router.url}/v1/completions`, { method: 'POST', body: '{"model":"m"}' });
    expect(answer.status).toBe(200);
    expect(answer.headers.get('connection')).toBe('close');
    expect(await answer.json()).toMatchObject({ path: '/v1/completions' });
    await expect.poll(async () => !(await isUp(router)), { message: 'it listens no more' }).toBe(true);
    upstream.push('last');
    upstream.finish();
    expect(await stream.ended).toBe('complete');
    expect(stream.text()).toContain('data: last\n\n');
  });

  test('is not kept by clients that ask for a sleeping model again and again', async () => {
    const router = await start({
      table: table([model('m', [])]),
      limits: { drainPatienceMs: 100 },
      env: LEAVE_SOON,
    });
    const ask = (signal?: AbortSignal) =>
      fetch(`${router.url}/v1/completions`, {
        method: 'POST',
        body: '{"model":"m"}',
        signal: signal ?? null,
      });
    const leaving = new AbortController();
    const early = ask(leaving.signal).catch(() => undefined);
    await expect.poll(async () => await held(router), { message: 'one is held' }).toBe(1);
    process.kill(router.pid, 'SIGTERM');
    let late: Response | undefined;
    await expect
      .poll(
        async () => {
          late = await ask(AbortSignal.timeout(200)).catch(() => undefined);
          return late?.status;
        },
        { message: 'a late one is not held' },
      )
      .toBe(503);
    expect(await late?.json()).toMatchObject({ error: { message: expect.stringContaining('about to end') } });
    expect(late?.headers.get('retry-after')).toBe('1');
    leaving.abort();
    await early;
    await expect.poll(async () => !(await isUp(router)), { message: 'it is gone' }).toBe(true);
  });

  test('goes when it is idle', async () => {
    const router = await start({ table: table([]), env: LEAVE_SOON });
    await router.close('SIGTERM');
  });
});
