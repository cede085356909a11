/** What the access log says of requests, and that clients cannot write into it. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { model, table } from '../../support/route-table.ts';
import { answerEach, hold, limited } from './support/admission.ts';
import { type Engine, startEngine } from './support/engine.ts';
import { raw } from './support/raw-request.ts';
import { type Redis, startRedis } from './support/redis.ts';
import { type Router, startRouter } from './support/router.ts';

type Line = Record<string, string | number>;

const hash = createHash('sha256').update('a').digest('hex');
const TRACE = '0af7651916cd43dd8448eb211c80319c';
const USAGE = '"usage":{"prompt_tokens":30,"total_tokens":50,"completion_tokens":20}';

const HOSTILE = [
  `GET /%22,%22keyId%22:%22x%5c%0a%00%ff/${'a'.repeat(4000)} HTTP/1.1\r\nHost: r\r\nX-Request-Id: 1","a":"\r\nConnection: close\r\n\r\n`,
  `${'X'.repeat(1500)} /v1/completions HTTP/1.1\r\nHost: r\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`,
  'GET / HTTP/9.9 secret\r\n\r\n',
  '"\\\r\n\r\n',
  'GET /v1/models\r\n',
  `GET /?${'a'.repeat(40_000)} HTTP/1.1\r\nHost: r\r\n\r\n`,
];

/** Fields of the table in the documentation, and those of them that every line has. */
function documented(): { all: string[]; always: string[] } {
  const text = readFileSync(join(import.meta.dirname, '../../../docs/how-to/audit-log.md'), 'utf8');
  const rows = [...text.matchAll(/^\| `(\w+)` +\| (yes)?/gm)];
  return {
    all: rows.map(([, name = '']) => name),
    always: rows.filter(([, , yes]) => yes).map(([, name = '']) => name),
  };
}

describe('the access log', () => {
  let engine: Engine;
  let router: Router;
  let redis: Redis;
  let text = '';
  let lines: Line[] = [];

  const routes = (asleep: readonly string[]) =>
    table(
      [
        limited(engine, 1, { degradation: [{ queueAbove: 0, maxTokens: 10 }] }),
        model('cached', [engine.address], { cache: { enabled: true, ttlSeconds: 60, policy: 'All' } }),
        model('asleep', asleep),
      ],
      { auth: 'APIKey', redis: redis.settings, keys: [{ sha256: hash, tenant: 'team-b/ci' }] },
    );
  const ask = async (id: string, body: object, headers: Record<string, string> = {}) => {
    const response = await fetch(`${router.url}/v1/completions?secret=1`, {
      method: 'POST',
      body: JSON.stringify({ prompt: 'my-words', temperature: 0, ...body }),
      headers: { authorization: 'Bearer a', 'x-request-id': id, ...headers },
    });
    await response.text();
  };
  const demand = async (name: string) => {
    const { inFlight = 0, queued = 0, held = 0 } = (await router.demand()).models[`uid-${name}`] ?? {};
    return inFlight + queued + held;
  };
  const askWhileTwoWait = async () => {
    const open = hold(engine);
    const asked: Promise<void>[] = [];
    for (const id of ['runs', 'waits', 'degraded']) {
      asked.push(ask(id, { model: 'm' }));
      await expect.poll(async () => await demand('m')).toBe(asked.length);
    }
    await answerEach(open, 0, asked.length);
    await Promise.all(asked);
  };
  const lineOf = (id: string) => lines.find(({ requestId }) => requestId === id);

  beforeAll(async () => {
    [engine, redis] = await Promise.all([startEngine(), startRedis()]);
    router = await startRouter({ limits: { commentAfterMs: 10, commentEveryMs: 10 }, table: routes([]) });
    engine.answer = ({ body }, response) => {
      const stream = body.includes('"stream":true');
      response.setHeader('content-type', stream ? 'text/event-stream' : 'application/json');
      response.end(stream ? `data: {"choices":[],${USAGE}}\n\ndata: [DONE]\n\n` : `{"choices":[],${USAGE}}`);
    };
  });
  afterAll(async () => {
    await Promise.all([router?.close(), engine?.close(), redis?.close()]);
  });

  // nginx writes the log once a second: all requests are sent here, and the other tests read what is written of them.
  test('has a line of JSON for every request', async () => {
    await ask('first', { model: 'm' }, { traceparent: `00-${TRACE}-b7ad6b7169203331-01` });
    await ask('miss', { model: 'cached' });
    await ask('hit', { model: 'cached' });
    const waited = ask('waited', { model: 'asleep', stream: true });
    await expect.poll(async () => await demand('asleep')).toBe(1);
    await router.put(routes([engine.address]));
    await waited;
    await askWhileTwoWait();
    await ask('stranger', { model: 'm' }, { authorization: 'Bearer secret-key' });
    await fetch(`${router.url}/v1/models`, {
      headers: { authorization: 'Bearer a', 'x-request-id': 'list' },
    });
    for (const bytes of HOSTILE) await raw(router, bytes);
    await expect.poll(async () => (await router.accessLog()).split('\n').length - 1).toBe(9 + HOSTILE.length);
    text = await router.accessLog();
    lines = text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Line);
  });

  test('says who used which model, when and how much', () => {
    expect(lineOf('first')).toMatchObject({
      method: 'POST',
      path: '/v1/completions',
      status: 200,
      model: 'team-a/m',
      namespace: 'team-b',
      tenant: 'team-b/ci',
      keyId: hash.slice(0, 16),
      traceId: TRACE,
      promptTokens: 30,
      completionTokens: 20,
      upstream: engine.address,
    });
    expect(Date.parse(String(lineOf('first')?.time))).toBeGreaterThan(Date.now() - 60_000);
  });

  test('says what the cache did', () => {
    expect(lineOf('miss')).toMatchObject({ cache: 'MISS' });
    expect(lineOf('hit')).toMatchObject({ cache: 'HIT', upstream: '', status: 200 });
  });

  test('has the tokens of a stream that waited for its model, which are counted once', async () => {
    expect(lineOf('waited')).toMatchObject({ status: 200, promptTokens: 30, completionTokens: 20 });
    await expect
      .poll(router.metrics)
      .toMatch(/tokens_total\{model="asleep",namespace="team-a",tenant="team-b\/ci",kind="prompt"\} 30\n/);
  });

  test('says which tier of degradation was active', () => {
    expect(lineOf('waits')).not.toHaveProperty('tier');
    expect(lineOf('degraded')).toMatchObject({ tier: 1 });
  });

  test('has no key and no model of requests without a valid key', () => {
    expect(lineOf('stranger')).toMatchObject({ status: 401 });
    expect(lineOf('stranger')).not.toHaveProperty('keyId');
    expect(lineOf('stranger')).not.toHaveProperty('model');
    expect(lineOf('list')).toMatchObject({ path: '/v1/models', tenant: 'team-b/ci' });
  });

  test('has short lines, whatever clients write, and nothing of their texts', () => {
    for (const line of text.split('\n')) expect(line.length).toBeLessThan(1024);
    expect(text).not.toMatch(/my-words|secret|Bearer/);
    const known = lines.filter((line) => 'keyId' in line);
    expect(known).toHaveLength(lines.length - HOSTILE.length - 1);
  });

  test('has the fields that the documentation lists', () => {
    const { all, always } = documented();
    expect([...new Set(lines.flatMap((line) => Object.keys(line)))].sort()).toEqual([...all].sort());
    for (const line of lines) expect(Object.keys(line)).toEqual(expect.arrayContaining(always));
  });
});
