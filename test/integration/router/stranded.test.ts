import { describe, expect, test } from 'vitest';
import type { RouteModel } from '../../../operator/router/route-table.ts';
import { model, rules, table } from '../../support/route-table.ts';
import type { Engine } from './support/engine.ts';
import { perTest } from './support/per-test.ts';
import type { Router } from './support/router.ts';
import { openStream } from './support/stream.ts';

describe('requests that no engine took', () => {
  const { engine: startEngineAt, start } = perTest();
  const engine = async (at?: string): Promise<Engine> => {
    const [host = '', port] = at?.split(':') ?? [];
    return await startEngineAt(at === undefined ? undefined : { host, port: Number(port) });
  };
  const dead = async (): Promise<string> => {
    const { address, kill } = await engine();
    await kill();
    return address;
  };
  const ask = async (router: Router) =>
    await fetch(`${router.url}/v1/completions`, { method: 'POST', body: '{"model":"m","n":1}' });
  const demand = async (router: Router) => (await router.demand()).models['uid-m'];
  const stranded = async (router: Router, count: number) =>
    await expect.poll(() => demand(router)).toMatchObject({ queued: count, inFlight: 0 });
  const within = (wakeTimeoutMs: number): Partial<RouteModel> => ({
    admission: rules({ wakeTimeoutMs }),
  });

  test('wait until there is another, streams too, and nothing stays counted', async () => {
    const [gone, next] = [await dead(), await engine()];
    const router = await start({ table: table([model('m', [gone])]) });
    const plain = [1, 2, 3].map(async () => await ask(router));
    const stream = openStream(router.url, { model: 'm' });
    await stranded(router, 4);
    await router.put(table([model('m', [next.address])]));
    for (const answer of plain) {
      expect((await answer).status).toBe(200);
      expect(await (await answer).json()).toMatchObject({ length: 19 });
    }
    // The engine answers those that have come to it, which the stream need not have when the others have.
    const { ended, text } = await stream;
    next.push('one');
    next.finish();
    expect(await ended).toBe('complete');
    expect(text()).toContain('data: one\n\n');
    await expect
      .poll(
        async () => {
          const { inFlight, held, queued } = (await demand(router)) ?? {};
          return inFlight === 0 && held === 0 && queued === 0;
        },
        { message: 'nothing is counted' },
      )
      .toBeTruthy();
  });

  test('retry on their own, because the engine may be back before the routes change', async () => {
    const gone = await dead();
    const router = await start({ table: table([model('m', [gone])]) });
    const answer = ask(router);
    await stranded(router, 1);
    const back = await engine(gone);
    expect((await answer).status).toBe(200);
    expect(back.requests.length).toBe(1);
  });

  test('are held, and wake the model, when it turns out to have no engine at all', async () => {
    const [gone, next] = [await dead(), await engine()];
    const router = await start({ table: table([model('m', [gone])]) });
    const answer = ask(router);
    await stranded(router, 1);
    const { seq } = await router.demand();
    await router.put(table([model('m', [])]));
    expect((await router.demand(seq, 30_000)).models['uid-m']).toMatchObject({ held: 1, queued: 0 });
    await router.put(table([model('m', [next.address])]));
    expect((await answer).status).toBe(200);
  });

  test('end with 503 after the time that a start may take, or when the model cannot come back', async () => {
    const gone = await dead();
    const router = await start({ table: table([model('m', [gone], within(300)), model('n', [gone])]) });
    const expired = await ask(router);
    expect(expired.status).toBe(503);
    expect(expired.headers.get('retry-after')).toBe('1');
    expect(await expired.json()).toMatchObject({ error: { code: 503, type: 'ServiceUnavailableError' } });
    const refused = fetch(`${router.url}/v1/completions`, { method: 'POST', body: '{"model":"n"}' });
    await expect
      .poll(async () => (await router.demand()).models['uid-n']?.queued, { message: 'it waits' })
      .toBe(1);
    await router.put(table([model('n', [], { unavailable: { reason: 'Suspended', message: 'No.' } })]));
    expect((await refused).status).toBe(503);
  });

  test('leave their place when the client goes', async () => {
    const router = await start({ table: table([model('m', [await dead()])]) });
    const client = new AbortController();
    const gone = fetch(`${router.url}/v1/completions`, {
      method: 'POST',
      body: '{"model":"m"}',
      signal: client.signal,
    }).catch(() => 'aborted');
    await stranded(router, 1);
    client.abort();
    expect(await gone).toBe('aborted');
    await stranded(router, 0);
  });
});
