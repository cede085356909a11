/** Spans of the router: what they say, and that a collector has no effect on requests. */
import type { Socket } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { RouteModel, RouteTable } from '../../../operator/router/route-table.ts';
import { model, rules, table } from '../../support/route-table.ts';
import { type Collector, type Span, startCollector } from './support/collector.ts';
import { type Engine, startEngine } from './support/engine.ts';
import { type Redis, startRedis } from './support/redis.ts';
import { type Router, startRouter } from './support/router.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const PARENT = 'b7ad6b7169203331';
const USAGE = '"usage":{"prompt_tokens":30,"total_tokens":50,"completion_tokens":20}';
const SERVER = 2;
const CLIENT = 3;

describe('tracing', () => {
  let engine: Engine;
  let dead: Engine;
  let collector: Collector;
  let redis: Redis;
  let router: Router;
  let last = 0;

  const routes = (
    samplingRatio: number,
    asleep: readonly string[] = [],
    limits: RouteTable['limits'] = {},
  ) => {
    const cached: Partial<RouteModel> = { cache: { enabled: true, ttlSeconds: 60, policy: 'All' } };
    return table(
      [
        model('m', [engine.address]),
        model('cached', [engine.address], cached),
        model('asleep', asleep, { namespace: 'team-b' }),
        model('dead', [dead.address], { admission: rules({ wakeTimeoutMs: 100 }) }),
      ],
      {
        tracing: { host: collector.host, port: collector.port, path: '/v1/traces', samplingRatio },
        redis: redis.settings,
        limits: {
          redisTimeoutMs: 1000,
          commentAfterMs: 10,
          commentEveryMs: 10,
          spansEveryMs: 0,
          spansTimeoutMs: 300,
          ...limits,
        },
      },
    );
  };
  beforeAll(async () => {
    [engine, dead, collector, redis] = await Promise.all([
      startEngine(),
      startEngine(),
      startCollector(),
      startRedis(),
    ]);
    await dead.kill();
    engine.answer = ({ body }, response) => {
      const stream = body.includes('"stream":true');
      response.setHeader('content-type', stream ? 'text/event-stream' : 'application/json');
      response.end(stream ? `data: {"choices":[],${USAGE}}\n\ndata: [DONE]\n\n` : `{"choices":[],${USAGE}}`);
    };
    router = await startRouter({ table: routes(1) });
  });
  afterAll(async () => {
    await Promise.all([router?.close(), engine?.close(), collector?.close(), redis?.close()]);
  });
  beforeEach(() => {
    collector.answer = (socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}');
  });

  const apply = async (...of: Parameters<typeof routes>) => {
    expect((await router.put(routes(...of))).status).toBe(200);
  };
  const ask = async (body: object, headers: Record<string, string> = {}, path = '/v1/chat/completions') => {
    last += 1;
    const id = `request-${last}`;
    const response = await fetch(`${router.url}${path}`, {
      method: 'POST',
      body: JSON.stringify({ messages: [{ role: 'user', content: 'my-words' }], ...body }),
      headers: { 'x-request-id': id, ...headers },
    });
    await response.text();
    return { id, status: response.status };
  };
  const spansOf = async (id: string): Promise<{ root: Span; parts: Span[] }> => {
    let root: Span | undefined;
    await expect
      .poll(() => {
        root = collector.spans.find((span) => span.attributes['vllm_operator.request.id'] === id);
        return root;
      })
      .toBeDefined();
    if (!root) throw new Error('there is no span');
    const { spanId } = root;
    return { root, parts: collector.spans.filter(({ parentSpanId }) => parentSpanId === spanId) };
  };
  const counted = async (result: string) =>
    Number(new RegExp(`spans_total\\{result="${result}"\\} (\\d+)`).exec(await router.metrics())?.[1] ?? 0);

  test('a request is a span with one for its engine, whose parent is the span of the client', async () => {
    const { id } = await ask({ model: 'm', stream: true }, { traceparent: `00-${TRACE}-${PARENT}-01` });
    const { root, parts } = await spansOf(id);
    expect(root).toMatchObject({
      traceId: TRACE,
      parentSpanId: PARENT,
      name: 'POST /v1/chat/completions',
      kind: SERVER,
      attributes: {
        'http.request.method': 'POST',
        'http.route': '/v1/chat/completions',
        'url.path': '/v1/chat/completions',
        'url.scheme': 'http',
        'http.response.status_code': 200,
        'vllm_operator.tenant': 'team-a',
        'vllm_operator.model': 'team-a/m',
      },
    });
    expect(parts).toHaveLength(1);
    expect(parts[0]).toMatchObject({
      traceId: TRACE,
      name: 'chat m',
      kind: CLIENT,
      attributes: {
        'gen_ai.operation.name': 'chat',
        'gen_ai.provider.name': 'vllm',
        'gen_ai.request.model': 'm',
        'gen_ai.request.stream': true,
        'gen_ai.usage.input_tokens': 30,
        'gen_ai.usage.output_tokens': 20,
        'server.address': engine.address.split(':')[0],
        'server.port': Number(engine.address.split(':')[1]),
      },
    });
    const sent = engine.requests.at(-1)?.headers.traceparent;
    expect(sent).toBe(`00-${TRACE}-${parts[0]?.spanId}-01`);
    expect(Number(root.startTimeUnixNano)).toBeLessThanOrEqual(Number(root.endTimeUnixNano));
    expect(collector.resource).toMatchObject({
      'service.name': 'pool-router',
      'k8s.namespace.name': 'team-a',
    });
    expect(collector.heads[0]).toContain('POST /v1/traces HTTP/1.1\r\n');
    expect(collector.heads[0]).toContain('Content-Type: application/json\r\n');
  });

  test('waiting for an engine to start is a part, also of streams that got comments meanwhile', async () => {
    for (const stream of [true, false]) {
      await apply(1);
      const asked = ask({ model: 'asleep', stream });
      await expect.poll(async () => (await router.demand()).models['uid-asleep']?.held).toBe(1);
      await apply(1, [engine.address]);
      const { root, parts } = await spansOf((await asked).id);
      expect(parts.map(({ name }) => name)).toEqual(['hold', 'chat asleep']);
      expect(parts[1]?.attributes).toMatchObject({ 'gen_ai.usage.output_tokens': 20 });
      expect(engine.requests.at(-1)?.headers.traceparent).toBe(`00-${root.traceId}-${parts[1]?.spanId}-01`);
    }
  });

  test('looking into the cache is a part, and a hit has no engine', async () => {
    const miss = await spansOf((await ask({ model: 'cached' })).id);
    expect(miss.parts.map(({ name }) => name)).toEqual(['cache lookup', 'chat cached']);
    const hit = await spansOf((await ask({ model: 'cached' })).id);
    expect(hit.parts.map(({ name }) => name)).toEqual(['cache lookup']);
    expect(hit.root.attributes).toMatchObject({ 'vllm_operator.cache.result': 'HIT' });
  });

  test('each time that engines failed is a part with an error, and so is waiting for others', async () => {
    const { id, status } = await ask({ model: 'dead' });
    expect(status).toBe(503);
    const { root, parts } = await spansOf(id);
    expect(root).toMatchObject({ status: { code: 2 }, attributes: { 'error.type': '503' } });
    expect(parts[0]).toMatchObject({ name: 'chat dead', kind: CLIENT, status: { code: 2 } });
    expect(parts.map(({ name }) => name)).toContain('queue');
    for (const part of parts.filter(({ kind }) => kind === CLIENT)) {
      expect(part.attributes).toHaveProperty(['error.type']);
    }
    expect(new Set(parts.map(({ spanId }) => spanId)).size).toBe(parts.length);
  });

  test('what no model is asked for is traced, too, and nothing that a client writes gets far', async () => {
    const { id } = await ask(
      { model: 'm' },
      { authorization: 'Bearer my-key' },
      `/%22${'x'.repeat(1000)}%01%ff`,
    );
    const { root } = await spansOf(id);
    expect(root.attributes['http.response.status_code']).toBe(400);
    expect(String(root.attributes['url.path'])).toMatch(/^\/"x{254}$/);
    expect(JSON.stringify(collector.spans)).not.toMatch(/my-words|my-key/);
  });

  test('the client decides, and what has no decision is sampled by the ratio', async () => {
    await apply(0);
    const { id } = await ask({ model: 'm' });
    expect(engine.requests.at(-1)?.headers.traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
    const yes = await ask({ model: 'm' }, { traceparent: `00-${TRACE}-${PARENT}-03` });
    await spansOf(yes.id);
    await apply(1);
    const traceparent = `00-${TRACE}-${PARENT}-02`;
    const no = await ask({ model: 'm' }, { traceparent });
    expect(engine.requests.at(-1)?.headers.traceparent).toBe(traceparent);
    for (const invalid of [`00-${'0'.repeat(32)}-${PARENT}-00`, `00-${TRACE}-${'0'.repeat(16)}-00`]) {
      const { root } = await spansOf((await ask({ model: 'm' }, { traceparent: invalid })).id);
      expect(root).not.toHaveProperty('parentSpanId');
      expect(root.traceId).not.toMatch(new RegExp(`^(0+|${TRACE})$`));
    }
    const ids = collector.spans.map(({ attributes }) => attributes['vllm_operator.request.id']);
    expect(ids).not.toContain(id);
    expect(ids).not.toContain(no.id);
  });

  test('a collector that is slow, broken or hostile costs spans only', async () => {
    const answers: ((socket: Socket) => void)[] = [
      (socket) => socket.end('HTTP/1.1 503 No\r\n\r\n'),
      (socket) => socket.end('x'.repeat(10_000_000)),
      (socket) => socket.resetAndDestroy(),
      (socket) => socket.write('HTTP/'),
      () => {},
    ];
    for (const answer of answers) {
      collector.answer = answer;
      const before = collector.heads.length;
      expect((await ask({ model: 'm' })).status).toBe(200);
      await expect.poll(() => collector.heads.length).toBeGreaterThan(before);
    }
    await apply(1, [], { maxSpansBytes: 0 });
    expect((await ask({ model: 'm' })).status).toBe(200);
    const missing = { ...routes(1), tracing: { host: 'none.invalid', port: 1, path: '/', samplingRatio: 1 } };
    expect((await router.put(missing)).status).toBe(200);
    expect((await ask({ model: 'm' })).status).toBe(200);
    await expect
      .poll(async () => [await counted('failed'), await counted('dropped')], { timeout: 10_000 })
      .toEqual([2 * answers.length + 2, 2]);
    expect(await counted('sent')).toBeGreaterThan(10);
  });

  test('without a collector there is no span, and engines trace by themselves', async () => {
    const { tracing: _, ...without } = routes(1);
    expect((await router.put(without)).status).toBe(200);
    expect((await ask({ model: 'm' })).status).toBe(200);
    expect(engine.requests.at(-1)?.headers.traceparent).toMatch(/-01$/);
  });

  test('all that was sent is valid', () => {
    expect(collector.faults).toEqual([]);
    const lines = router
      .errors()
      .split('\n')
      .filter((line) => !/upstream|recv\(\) failed|did not take spans/.test(line));
    expect(lines.join('\n')).not.toMatch(/error|warn/);
    expect(router.errors().match(/did not take spans/g)?.length).toBeLessThanOrEqual(2);
  });
});
