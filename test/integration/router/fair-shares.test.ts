/** What all namespaces share in a router: none can take all of it. */
import { createHash } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import type { RouteKey } from '../../../operator/router/route-table.ts';
import { engineAt, model, rules, table } from '../../support/route-table.ts';
import { startCollector } from './support/collector.ts';
import { perTest } from './support/per-test.ts';
import type { Router } from './support/router.ts';

const key = (token: string, tenant: string): RouteKey => ({
  sha256: createHash('sha256').update(token).digest('hex'),
  tenant,
});
/** Two keys of one team, which count as its parts, and those of two others. */
const keys = [key('b', 'team-b/one'), key('b2', 'team-b/two'), key('c', 'team-c'), key('a', 'team-a')];

describe('one namespace', () => {
  const { engine, start, keep } = perTest();
  const sockets: Socket[] = [];
  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.destroy();
  });
  /** Begins a request and leaves it open. Returns what came back so far. */
  const begin = (router: Router, token: string, rest: string): (() => string) => {
    const socket = connect(8080, router.address);
    socket.on('error', () => undefined);
    sockets.push(socket);
    const authorization = token && `Authorization: Bearer ${token}\r\n`;
    socket.write(`POST /v1/completions HTTP/1.1\r\nHost: router\r\n${authorization}${rest}`);
    let text = '';
    socket.on('data', (data) => {
      text += data;
    });
    return () => text;
  };
  const whole = (name: string, pad = 0) => {
    const body = JSON.stringify({ model: name, prompt: 'x'.repeat(pad) });
    return `Content-Length: ${body.length}\r\n\r\n${body}`;
  };
  const statusOf = async (answer: () => string) => {
    await expect.poll(() => answer().includes('\r\n\r\n'), { message: 'there is an answer' }).toBeTruthy();
    return Number(/^HTTP\/1\.1 (\d+)/.exec(answer())?.[1]);
  };
  const inFlight = async (router: Router, uid: string) => (await router.demand()).models[uid]?.inFlight ?? 0;

  test('cannot take all the room for bodies', async () => {
    const upstream = await engine();
    const router = await start({
      table: table([model('m', [upstream.address])], { auth: 'APIKey', keys }),
      maxBodySize: 100_000,
      maxBodiesSize: 1_000_000,
      workers: 1,
    });
    const slow = 'Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n';
    const began = Array.from({ length: 20 }, (_, i) => begin(router, i % 2 ? 'b' : 'b2', slow));
    await expect
      .poll(() => began.filter((answer) => answer() !== '').length, { message: 'half of them are refused' })
      .toBe(15);
    expect(await statusOf(begin(router, 'b', slow))).toBe(503);
    for (const token of ['a', 'c']) {
      expect(await statusOf(begin(router, token, whole('m', 90_000)))).toBe(200);
    }
  });

  test.each([
    ['of a key', 'b', 'a', keys],
    ['of a model, where there are no keys', '', '', []],
  ])('%s cannot have all the requests of a router', async (_, hostile, other, list) => {
    const upstream = await engine();
    upstream.answer = (request, response) => {
      if (!request.body.toString().includes('taken')) response.end('{}');
    };
    const models = [
      model('taken', [upstream.address], { namespace: 'team-b' }),
      model('m', [upstream.address]),
    ];
    const router = await start({
      table: table(models, { auth: list.length > 0 ? 'APIKey' : 'None', keys: list }),
      limits: { maxInFlight: 20 },
      workers: 1,
    });
    const began = Array.from({ length: 20 }, () => begin(router, hostile, whole('taken')));
    await expect
      .poll(() => began.filter((answer) => answer() !== '').length, { message: 'half of them are refused' })
      .toBe(10);
    expect(began.find((answer) => answer() !== '')?.()).toMatch(/^HTTP\/1\.1 503 .*of one namespace/s);
    for (let i = 0; i < 3; i += 1) expect(await statusOf(begin(router, other, whole('m')))).toBe(200);
    for (const socket of sockets.splice(0)) socket.destroy();
    await expect
      .poll(async () => await inFlight(router, 'uid-taken'), { message: 'nothing is in flight' })
      .toBe(0);
    expect(await statusOf(begin(router, other, whole('m')))).toBe(200);
  });

  test.each([
    ['', 401],
    ['b', 200],
  ])('cannot fill the room for spans, with key "%s"', async (hostile, status) => {
    const [upstream, collector] = [await engine(), keep(await startCollector())];
    const waiting: Socket[] = [];
    collector.answer = (socket) => void waiting.push(socket);
    const router = await start({
      table: table([model('m', [upstream.address])], {
        auth: 'APIKey',
        keys,
        tracing: { host: collector.host, port: collector.port, path: '/', samplingRatio: 1 },
        limits: { spansEveryMs: 0, maxSpansBytes: 40_000 },
      }),
      workers: 1,
    });
    const ask = async (token: string) => {
      const headers = { ...(token && { authorization: `Bearer ${token}` }) };
      const answer = await fetch(`${router.url}/v1/completions`, {
        method: 'POST',
        headers,
        body: '{"model":"m"}',
      });
      await answer.text();
      return answer.status;
    };
    await ask('c');
    await expect.poll(() => waiting.length, { message: 'the collector is busy' }).toBe(1);
    for (let i = 0; i < 100; i += 1) expect(await ask(hostile)).toBe(status);
    expect(await ask('a')).toBe(200);
    for (const socket of waiting) socket.end('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
    await expect
      .poll(
        () => collector.spans.filter(({ attributes: of }) => of['vllm_operator.tenant'] === 'team-a').length,
      )
      .toBe(1);
  });

  test('cannot keep all that engines can run: after a while others get their part', async () => {
    const upstream = await engine();
    const open = new Map<string, (() => void)[]>();
    upstream.answer = ({ body }, response) => {
      const { user } = JSON.parse(body.toString()) as { user: string };
      open.set(user, [...(open.get(user) ?? []), () => response.end('{}')]);
    };
    const shared = model('m', [], { state: 'Serving', endpoints: [engineAt(upstream.address, 4)] });
    const routes = { auth: 'APIKey', keys, limits: { turnAfterMs: 0 } } as const;
    const router = await start({ table: table([shared], routes), workers: 2 });
    const at = (user: string) => open.get(user)?.length ?? 0;
    const ask = (user: string) => {
      const body = JSON.stringify({ model: 'm', user });
      begin(router, user, `Content-Length: ${body.length}\r\n\r\n${body}`);
    };
    const queued = async () => (await router.demand()).models['uid-m']?.queued;
    for (let i = 0; i < 6; i += 1) ask('b');
    await expect.poll(queued, { message: 'its others wait' }).toBe(2);
    for (let i = 0; i < 3; i += 1) ask('a');
    await expect.poll(() => at('a'), { message: 'the other one has half of them' }).toBe(2);
    expect([at('b'), await queued()]).toEqual([4, 3]);
    open.get('a')?.[0]?.();
    await expect.poll(() => at('a'), { message: 'and again' }).toBe(3);
    expect([at('b'), await queued()]).toEqual([4, 2]);
  });

  test('that waits gets nothing beyond twice the limit, however many others got their part', async () => {
    const atEngine: string[] = [];
    const one = async (name: string) => {
      const upstream = await engine();
      upstream.answer = ({ body }) => {
        atEngine.push(`${(JSON.parse(body.toString()) as { user: string }).user} ${name}`);
      };
      return model(name, [], { state: 'Serving', endpoints: [engineAt(upstream.address, 1)] });
    };
    const routes = { auth: 'APIKey', keys, limits: { turnAfterMs: 0 } } as const;
    const router = await start({ table: table([await one('m'), await one('n')], routes), workers: 1 });
    const ask = (user: string, name: string) => {
      const body = JSON.stringify({ model: name, user });
      begin(router, user, `Content-Length: ${body.length}\r\n\r\n${body}`);
    };
    for (const next of ['b m', 'c m', 'b n']) {
      const [user = '', name = ''] = next.split(' ');
      ask(user, name);
      await expect.poll(() => atEngine, { message: 'it is at the engine' }).toContain(next);
    }
    ask('a', 'm');
    const queued = async () => (await router.demand()).models['uid-m']?.queued;
    await expect.poll(queued, { message: 'the third one waits' }).toBe(1);
    ask('a', 'n');
    await expect.poll(() => atEngine, { message: 'turns were given' }).toContain('a n');
    expect(atEngine).not.toContain('a m');
  });

  test("cannot fill the queue of another's model, but that of its own", async () => {
    const models = [model('sleepy', [], { namespace: 'team-c' })];
    for (const one of models) one.admission = rules({ maxQueue: 12 });
    const router = await start({ table: table(models, { auth: 'APIKey', keys }), workers: 1 });
    const held = async () => (await router.demand()).models['uid-sleepy']?.held ?? 0;
    const began = Array.from({ length: 12 }, (_, i) => begin(router, i % 2 ? 'b' : 'b2', whole('sleepy')));
    await expect
      .poll(() => began.filter((answer) => answer() !== '').length, { message: 'half of them are refused' })
      .toBe(6);
    expect(await held()).toBe(6);
    begin(router, 'a', whole('sleepy'));
    await expect.poll(async () => await held(), { message: 'another one waits' }).toBe(7);
    for (let i = 0; i < 5; i += 1) begin(router, 'c', whole('sleepy'));
    await expect.poll(async () => await held(), { message: 'its owner has the rest' }).toBe(12);
    expect(await statusOf(begin(router, 'c', whole('sleepy')))).toBe(503);
    for (const socket of sockets.splice(0)) socket.destroy();
    await expect.poll(async () => await held(), { message: 'nobody waits' }).toBe(0);
    begin(router, 'b', whole('sleepy'));
    begin(router, 'b', whole('sleepy'));
    await expect.poll(async () => await held(), { message: 'it may wait again' }).toBe(2);
  });
});
