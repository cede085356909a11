import { describe, expect, test } from 'vitest';
import { model, table } from '../../support/route-table.ts';
import { perTest } from './support/per-test.ts';
import { openStream } from './support/stream.ts';

describe('streaming', () => {
  const { engine, start } = perTest();

  test('each event arrives before the next is sent', async () => {
    const upstream = await engine();
    const router = await start({ table: table([model('m', [upstream.address])]) });
    const stream = await openStream(router.url, { model: 'm' });
    expect(stream.headers['content-type']).toBe('text/event-stream; charset=utf-8');
    for (let i = 0; i < 20; i += 1) {
      upstream.push(`event-${i}`);
      await expect
        .poll(() => stream.text().includes(`event-${i}\n\n`), { message: `event ${i}` })
        .toBeTruthy();
    }
    upstream.finish();
    expect(await stream.ended).toBe('complete');
    expect(stream.text().endsWith('data: [DONE]\n\n')).toBe(true);
    expect(stream.text()).not.toContain('error');
  });

  test('of 200 streams, only those on the engine that is killed end, with an error event', async () => {
    const [victim, survivor] = [await engine(), await engine()];
    const router = await start({
      table: table(
        [model('m', [victim.address, survivor.address])].map((entry) => ({
          ...entry,
          endpoints: entry.endpoints.map((e) => ({ ...e, capacity: 500 })),
        })),
      ),
    });
    const streams = await Promise.all(
      Array.from({ length: 200 }, async () => await openStream(router.url, { model: 'm' })),
    );
    const onVictim = victim.streams.size;
    const onSurvivor = survivor.streams.size;
    expect(onVictim + onSurvivor).toBe(200);
    // Two choices at random, taken by requests that arrive at once, stay close to each other.
    expect(Math.abs(onVictim - onSurvivor)).toBeLessThan(40);
    await victim.kill();
    survivor.push('still-here');
    await expect
      .poll(() => streams.filter((s) => s.text().includes('still-here')).length, {
        message: 'the survivors have the event',
      })
      .toBe(onSurvivor);
    survivor.finish();
    const ends = await Promise.all(streams.map(async (s) => ({ end: await s.ended, text: s.text() })));
    const cut = ends.filter(({ text }) => text.includes('"error"'));
    expect(cut.length).toBe(onVictim);
    for (const { text, end } of cut) {
      expect(end).toBe('complete');
      const last = text.trimEnd().split('\n\n').at(-1) ?? '';
      expect(JSON.parse(last.replace(/^data: /, ''))).toEqual({
        error: { message: expect.any(String), type: 'InternalServerError', param: null, code: 502 },
      });
    }
    expect(ends.filter(({ text }) => text.endsWith('data: [DONE]\n\n')).length).toBe(onSurvivor);
    await expect
      .poll(async () => (await router.demand()).models['uid-m']?.inFlight, {
        message: 'nothing is in flight',
      })
      .toBe(0);
    await expect
      .poll(
        async () =>
          (await router.metrics()).includes(
            `vllm_router_cut_streams_total{model="m",namespace="team-a"} ${onVictim}`,
          ),
        { message: 'the cut streams are counted' },
      )
      .toBeTruthy();
  });

  test('a stream that ends in the middle of an event still gets a separate error event', async () => {
    const upstream = await engine();
    upstream.answer = (_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('data: {"choices":[{"delta":{"conte', () => response.socket?.destroy());
    };
    const router = await start({ table: table([model('m', [upstream.address])]) });
    const stream = await openStream(router.url, { model: 'm' });
    await stream.ended;
    expect(stream.text()).toMatch(/conte\n\ndata: \{"error":.*\}\n\n$/);
  });

  test('an engine that falls silent in the middle of a stream ends it with an error event', async () => {
    const upstream = await engine();
    const router = await start({ readTimeout: '1s', table: table([model('m', [upstream.address])]) });
    const stream = await openStream(router.url, { model: 'm' });
    await stream.ended;
    expect(stream.text()).toContain('"error"');
  });

  test.each(['/v1/responses', '/v1/messages'])('%s gets its error as a named event', async (path) => {
    const upstream = await engine();
    const router = await start({ table: table([model('m', [upstream.address])]) });
    const stream = await openStream(router.url, { model: 'm' }, path);
    await upstream.kill();
    await stream.ended;
    const last = stream.text().trimEnd().split('\n\n').at(-1) ?? '';
    const [event, data] = last.split('\n');
    expect(event).toBe('event: error');
    expect(JSON.parse(data?.replace(/^data: /, '') ?? '')).toMatchObject({
      type: 'error',
      error: path === '/v1/messages' ? { type: 'api_error' } : { code: 502 },
    });
  });

  test('a client that goes away ends the request on the engine', async () => {
    const upstream = await engine();
    const router = await start({ table: table([model('m', [upstream.address])]) });
    const stream = await openStream(router.url, { model: 'm' });
    expect(upstream.streams.size).toBe(1);
    stream.abort();
    await expect.poll(() => upstream.streams.size, { message: 'the engine sees it' }).toBe(0);
    await expect
      .poll(async () => (await router.demand()).models['uid-m']?.inFlight, {
        message: 'nothing is in flight',
      })
      .toBe(0);
  });

  test('routes change without a reload, for the next request, and no stream is cut', async () => {
    const [before, after] = [await engine(), await engine()];
    const router = await start({ table: table([model('m', [before.address])]) });
    const stream = await openStream(router.url, { model: 'm' });
    await router.put(table([model('m', [after.address])]));
    const streams = await Promise.all(
      Array.from({ length: 8 }, async () => await openStream(router.url, { model: 'm' })),
    );
    expect(after.streams.size).toBe(8);
    await router.put(table([]));
    expect(
      (await fetch(`${router.url}/v1/completions`, { method: 'POST', body: '{"model":"m"}' })).status,
    ).toBe(404);
    before.push('old');
    after.push('new');
    before.finish();
    after.finish();
    expect(await stream.ended).toBe('complete');
    expect(stream.text()).toContain('data: old\n\ndata: [DONE]\n\n');
    for (const other of streams) {
      expect(await other.ended).toBe('complete');
      expect(other.text()).toContain('data: new\n\ndata: [DONE]\n\n');
    }
  });

  test('a pod that is stopped finishes its streams and then exits', async () => {
    const upstream = await engine();
    const router = await start({
      table: table([model('m', [upstream.address])]),
      limits: { drainPatienceMs: 100 },
      env: { VLLM_ROUTER_LEAVE_SECONDS: '0.1' },
    });
    const stream = await openStream(router.url, { model: 'm' });
    const closed = router.close('SIGTERM');
    await expect
      .poll(
        async () => {
          try {
            await fetch(`${router.url}/health`);
            return false;
          } catch {
            return true;
          }
        },
        { message: 'it takes no more connections' },
      )
      .toBeTruthy();
    upstream.push('late');
    upstream.finish();
    expect(await stream.ended).toBe('complete');
    expect(stream.text()).toContain('data: late\n\ndata: [DONE]\n\n');
    await closed;
  });
});
