import { describe, expect, test } from 'vitest';
import { addressOf, model, table } from '../../support/route-table.ts';
import type { Engine } from './support/engine.ts';
import { perTest } from './support/per-test.ts';
import type { Router } from './support/router.ts';

describe('retries', () => {
  const { engine, start } = perTest();
  const ask = async (router: Router) =>
    await fetch(`${router.url}/v1/completions`, { method: 'POST', body: '{"model":"m"}' });

  test('an engine that refuses connections costs no request, and is left out until it is back', async () => {
    const [dead, alive] = [await engine(), await engine()];
    const [host = '', port] = dead.address.split(':');
    const router = await start({ workers: 1, table: table([model('m', [dead.address, alive.address])]) });
    await dead.kill();
    for (let i = 0; i < 20; i += 1) expect((await ask(router)).status).toBe(200);
    expect(alive.requests.length).toBe(20);
    const metrics = await router.metrics();
    const total = (name: string) =>
      Number(metrics.split(`${name}_total{model="m",namespace="team-a"} `)[1]?.split('\n')[0]);
    // It is tried once, and then after 1 s, 2 s and so on, which may pass on a busy machine.
    expect(total('ejections')).toBeGreaterThan(0);
    expect(total('ejections')).toBeLessThan(6);
    expect(total('retries')).toBe(total('ejections'));
    const back = await engine({ host, port: Number(port) });
    await expect
      .poll(
        async () => {
          expect((await ask(router)).status).toBe(200);
          return back.requests.length > 0;
        },
        { message: 'it gets requests again' },
      )
      .toBeTruthy();
  });

  test('503 before the first byte is retried on another engine; if all respond so, the client gets it', async () => {
    const [busy, alive] = [await engine(), await engine()];
    busy.answer = (_, response) => {
      response.writeHead(503, { 'content-type': 'application/json' }).end('{"error":{"message":"scaling"}}');
    };
    const router = await start({ table: table([model('m', [busy.address, alive.address])]) });
    for (let i = 0; i < 20; i += 1) expect((await ask(router)).status).toBe(200);
    await router.put(table([model('m', [busy.address])]));
    const response = await ask(router);
    expect(response.status).toBe(503);
    expect(await response.json()).toEqual({ error: { message: 'scaling' } });
  });

  test('other errors of an engine are not repeated', async () => {
    const [bad, alive] = [await engine(), await engine()];
    let answered = 0;
    for (const upstream of [bad, alive]) {
      upstream.answer = (_, response) => {
        answered += 1;
        response.writeHead(500).end();
      };
    }
    const router = await start({ table: table([model('m', [bad.address, alive.address])]) });
    expect((await ask(router)).status).toBe(500);
    expect(answered).toBe(1);
  });

  test('a request that is lost with its connection is repeated once: it may be what broke the engine', async () => {
    const engines = [await engine(), await engine(), await engine()];
    let broken = 0;
    for (const upstream of engines) {
      upstream.answer = (_, response) => {
        broken += 1;
        response.socket?.destroy();
      };
    }
    const router = await start({
      table: table([
        model(
          'm',
          engines.map(({ address }) => address),
        ),
      ]),
    });
    const response = await ask(router);
    expect(response.status).toBe(502);
    expect(await response.json()).toMatchObject({ error: { code: 502, type: 'InternalServerError' } });
    expect(broken).toBe(2);
  });

  test('a request that the only engine loses waits a moment, and is not sent a third time', async () => {
    const upstream = await engine();
    let lost = 0;
    const lose = (times: number): Engine['answer'] => {
      const { answer } = upstream;
      return (request, response) => {
        if (lost >= times) return answer(request, response);
        lost += 1;
        response.socket?.destroy();
      };
    };
    const service = await engine();
    const router = await start({
      table: table([model('m', [upstream.address], { fallback: addressOf(service.address) })]),
    });
    upstream.answer = lose(1);
    expect((await ask(router)).status).toBe(200);
    upstream.answer = lose(4);
    expect((await ask(router)).status).toBe(502);
    expect(lost).toBe(3);
    expect(service.requests).toEqual([]);
  });

  test('a connection that an engine closed while it was idle costs no request', async () => {
    const upstream = await engine();
    const router = await start({
      workers: 1,
      table: table([model('m', [upstream.address])]),
    });
    upstream.answer = (_, response) => {
      response.end('{}', () => setTimeout(() => response.socket?.resetAndDestroy(), 5));
    };
    for (let i = 0; i < 30; i += 1) expect((await ask(router)).status).toBe(200);
  });

  test('the Service is the last resort', async () => {
    const [dead, service] = [await engine(), await engine()];
    await dead.kill();
    const router = await start({
      table: table([model('m', [dead.address], { fallback: addressOf(service.address) })]),
    });
    expect((await ask(router)).status).toBe(200);
    expect(service.requests.length).toBe(1);
  });

  test('an engine that drains gets no new request', async () => {
    const [draining, alive] = [await engine(), await engine()];
    const entry = model('m', [draining.address, alive.address]);
    const router = await start({
      table: table([
        {
          ...entry,
          endpoints: entry.endpoints.map((e) => ({
            ...e,
            draining: `${e.host}:${e.port}` === draining.address,
          })),
        },
      ]),
    });
    for (let i = 0; i < 10; i += 1) expect((await ask(router)).status).toBe(200);
    expect(draining.requests.length).toBe(0);
    expect(alive.requests.length).toBe(10);
  });

  test('an engine that never answers ends in 504 and is not asked twice', async () => {
    const [silent, other] = [await engine(), await engine()];
    silent.answer = () => {};
    other.answer = () => {};
    const router = await start({
      readTimeout: '1s',
      table: table([model('m', [silent.address, other.address])]),
    });
    const response = await ask(router);
    expect(response.status).toBe(504);
    expect(await response.json()).toMatchObject({ error: { code: 504 } });
    expect(silent.requests.length + other.requests.length).toBe(1);
    await expect
      .poll(async () => (await router.demand()).models['uid-m']?.inFlight, {
        message: 'nothing is in flight',
      })
      .toBe(0);
  });
});
