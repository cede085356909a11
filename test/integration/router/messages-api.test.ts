/** Clients of Anthropic's Messages API: their key as x-api-key, and errors in the form that their SDK reads. */
import { createHash } from 'node:crypto';
import { request } from 'undici';
import { describe, expect, test } from 'vitest';
import type { RouteModel, RouteTable } from '../../../operator/router/route-table.ts';
import { engineAt, model, rules, table } from '../../support/route-table.ts';
import { perTest } from './support/per-test.ts';
import type { Router } from './support/router.ts';
import { openStream } from './support/stream.ts';

const sha256 = createHash('sha256').update('a').digest('hex');
const PATHS = ['/v1/messages', '/v1/messages/count_tokens'];

describe('the Messages API', () => {
  const { engine, start } = perTest();
  const withKeys = (models: RouteModel[], more: Partial<RouteTable> = {}) =>
    table(models, { auth: 'APIKey', keys: [{ sha256, tenant: 'team-a' }], ...more });
  const ask = async (
    router: Router,
    path: string,
    headers: Record<string, string> = {},
    body: string | undefined = '{"model":"m"}',
    method: 'GET' | 'POST' | 'PUT' = 'POST',
  ) => {
    const response = await request(router.url + path, {
      method,
      headers,
      body: method === 'GET' ? null : body,
    });
    return {
      status: response.statusCode,
      type: response.headers['content-type'],
      text: await response.body.text(),
    };
  };

  test('takes a key as x-api-key, on its paths and for the list of models, and engines never see it', async () => {
    const upstream = await engine();
    const router = await start({ table: withKeys([model('m', [upstream.address])]) });
    for (const path of PATHS) {
      expect((await ask(router, path, { 'x-api-key': 'a' })).status).toBe(200);
      expect((await ask(router, path, { authorization: 'Bearer a' })).status).toBe(200);
      expect((await ask(router, path, { authorization: 'Bearer a', 'x-api-key': 'old' })).status).toBe(200);
      expect((await ask(router, path, { 'x-api-key': 'b' })).status).toBe(401);
    }
    for (const { headers } of upstream.requests) {
      expect(headers['x-api-key']).toBeUndefined();
      expect(headers.authorization).toBeUndefined();
    }
    for (const path of ['/v1/models', '/v1/models/m']) {
      expect((await ask(router, path, { 'x-api-key': 'a' }, undefined, 'GET')).status).toBe(200);
      expect((await ask(router, path, { 'x-api-key': 'b' }, undefined, 'GET')).status).toBe(401);
    }
    expect((await ask(router, '/v1/chat/completions', { 'x-api-key': 'a' })).status).toBe(401);
  });

  test('an open pool passes x-api-key on, for engines that ask for one', async () => {
    const upstream = await engine();
    const router = await start({ table: table([model('m', [upstream.address])]) });
    expect((await ask(router, '/v1/messages', { 'x-api-key': 'theirs' })).status).toBe(200);
    expect(upstream.requests[0]?.headers['x-api-key']).toBe('theirs');
  });

  const SOON = rules({ maxQueue: 1, queueTimeoutMs: 50, wakeTimeoutMs: 50 });
  test.each(PATHS)('%s has its errors in the form of that API, whatever made them', async (path) => {
    const [upstream, dead] = [await engine(), await engine()];
    dead.answer = (_, response) => response.socket?.destroy();
    const router = await start({
      maxBodySize: 1000,
      table: withKeys(
        [
          model('m', [upstream.address]),
          model('starting', [], { admission: SOON }),
          model('full', [], { admission: { ...SOON, maxQueue: 0 } }),
          model('busy', [upstream.address], {
            admission: { ...SOON, maxQueue: 0 },
            endpoints: [engineAt(upstream.address, 0)],
          }),
          model('stalled', [], { unavailable: { reason: 'NoCapacity', message: 'No.' } }),
          model('dead', [dead.address], { admission: SOON }),
        ],
        { keys: [{ sha256, tenant: 'team-a', requestsPerMinute: 9 }] },
      ),
    });
    const key = { 'x-api-key': 'a' };
    const cases: [number, string, Awaited<ReturnType<typeof ask>>][] = [
      [401, 'authentication_error', await ask(router, path)],
      [405, 'invalid_request_error', await ask(router, path, key, '', 'PUT')],
      [413, 'request_too_large', await ask(router, path, key, ' '.repeat(1001))],
      [400, 'invalid_request_error', await ask(router, path, key, 'x')],
      [400, 'invalid_request_error', await ask(router, path, key, '{}')],
      [404, 'not_found_error', await ask(router, path, key, '{"model":"\\u00e4"}')],
      [504, 'timeout_error', await ask(router, path, key, '{"model":"starting"}')],
      [503, 'overloaded_error', await ask(router, path, key, '{"model":"full"}')],
      [429, 'rate_limit_error', await ask(router, path, key, '{"model":"busy"}')],
      [503, 'overloaded_error', await ask(router, path, key, '{"model":"stalled"}')],
      [502, 'api_error', await ask(router, path, key, '{"model":"dead"}')],
    ];
    await expect
      .poll(
        async () => {
          const answer = await ask(router, path, key);
          if (answer.status === 429) cases.push([429, 'rate_limit_error', answer]);
          return answer.status === 429;
        },
        { message: 'the limit is reached' },
      )
      .toBeTruthy();
    for (const [status, type, answer] of cases) {
      expect(answer, `${status} ${type}`).toMatchObject({ status, type: 'application/json' });
      expect(JSON.parse(answer.text)).toEqual({
        type: 'error',
        error: { type, message: expect.any(String) },
      });
    }
  });

  test('a stream that has begun ends in an error event of that form', async () => {
    const upstream = await engine();
    const admission = { ...SOON, wakeTimeoutMs: 300 };
    const router = await start({
      limits: { commentAfterMs: 50, commentEveryMs: 50 },
      table: table([model('m', [], { admission }), model('n', [])]),
    });
    const late = await openStream(router.url, { model: 'm' }, '/v1/messages');
    const refused = await openStream(router.url, { model: 'n' }, '/v1/messages');
    const response = await openStream(router.url, { model: 'n' }, '/v1/responses');
    upstream.answer = (_, answer) => answer.writeHead(400).end('{"error":{"message":"no",\n"code":400}}');
    await router.put(table([model('m', [], { admission }), model('n', [upstream.address])]));
    const last = async (stream: typeof late) => {
      await stream.ended;
      const [event, data] = stream
        .text()
        .replace(/^(: waiting\n\n)+/, '')
        .trimEnd()
        .split('\n');
      expect(event).toBe('event: error');
      return JSON.parse(data?.replace(/^data: /, '') ?? '') as unknown;
    };
    expect(await last(late)).toEqual({
      type: 'error',
      error: { type: 'timeout_error', message: expect.any(String) },
    });
    for (const stream of [refused, response]) {
      expect(await last(stream)).toEqual({ type: 'error', error: { message: 'no', code: 400 } });
    }
  });

  test.each(['"text"', '{}', '[1]', '', 'oops', '{"error":'])(
    'an error of an engine that says %j is an event with JSON',
    async (said) => {
      const upstream = await engine();
      const router = await start({
        limits: { commentAfterMs: 50 },
        table: table([model('m', [])]),
      });
      const stream = await openStream(router.url, { model: 'm' }, '/v1/messages');
      upstream.answer = (_, answer) => answer.writeHead(500).end(said);
      await router.put(table([model('m', [upstream.address])]));
      await stream.ended;
      const data = /event: error\ndata: (.*)\n\n$/.exec(stream.text())?.[1] ?? '';
      expect(JSON.parse(data)).toMatchObject({ type: 'error', error: { type: 'api_error' } });
    },
  );

  test('an error of an engine without end is cut where a stream has begun', async () => {
    const upstream = await engine();
    const router = await start({
      limits: { commentAfterMs: 50 },
      table: table([model('m', [])]),
    });
    const stream = await openStream(router.url, { model: 'm' }, '/v1/messages');
    upstream.answer = (_, answer) => {
      answer.writeHead(500);
      answer.write('x'.repeat(100_000));
    };
    await router.put(table([model('m', [upstream.address])]));
    await stream.ended;
    expect(stream.text()).toMatch(
      /event: error\ndata: \{"type":"error","error":\{"type":"api_error",.*\}\}\n\n$/,
    );
    await expect
      .poll(async () => (await router.demand()).models['uid-m']?.inFlight, { message: 'the engine is left' })
      .toBe(0);
  });
});
