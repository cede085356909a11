import { describe, expect, test } from 'vitest';
import { usageReport } from '../../../operator/router/protocol.ts';
import { model, rules, table } from '../../support/route-table.ts';
import { answerEach, ask, askInTurn, hold, limited, untilDemand } from './support/admission.ts';
import { perTest } from './support/per-test.ts';
import { startRedis } from './support/redis.ts';
import type { Router } from './support/router.ts';
import { runInNginx } from './support/run-in-nginx.ts';
import { openStream } from './support/stream.ts';

describe('what the router counts and logs', () => {
  const { engine, start, keep } = perTest();
  const counted = async (router: Router, line: string | RegExp) =>
    await expect.poll(async () => await router.metrics()).toMatch(line);
  const lines = async (router: Router) =>
    (await router.accessLog())
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  const logged = async (router: Router, count: number) => {
    await expect
      .poll(async () => (await lines(router)).length >= count, { message: 'the log is written' })
      .toBe(true);
    return await lines(router);
  };

  test('counts of a team with many keys are those of the team, and hide no other; no engine makes counts that are refused', async () => {
    const { counts } = usageReport.parse(JSON.parse(await runInNginx('usage-counts.lua')));
    const of = counts.m ?? {};
    expect(of).toMatchObject({ 'team-a/ci': [1, 0, 0, 0, 0, 0], 'team-e': [1, 0, 0, 0, 0, 0] });
    expect(Object.keys(of).length).toBeLessThanOrEqual(2000);
    for (const team of ['team-b', 'team-c', 'team-d']) {
      const own = Object.entries(of).filter(([tenant]) => tenant.split('/')[0] === team);
      expect(own.reduce((sum, [, [requests = 0]]) => sum + requests, 0)).toBe(1500);
    }
    expect(counts.n).toEqual({ 'team-a': [0, 0, 1e12, 0, 0, 0] });
  });

  test('no id of a request comes twice, in any worker', async () => {
    const upstream = await engine();
    const router = await start({ workers: 8, table: table([model('m', [upstream.address])]) });
    const ids: unknown[] = [];
    for (let i = 0; i < 20; i += 1) {
      const answers = await Promise.all(Array.from({ length: 20 }, async () => await ask(router)));
      ids.push(...answers.map(({ headers }) => headers.get('x-request-id')));
    }
    for (const id of ids) expect(id).toMatch(/^[0-9a-f]{32}$/);
    expect(new Set(ids).size).toBe(400);
    const parents = upstream.requests.map(({ headers }) => String(headers.traceparent).split('-')[1]);
    expect(new Set(parents)).toEqual(new Set(ids));
  });

  test('a stream that waits and ends as an error counts and is logged as that error', async () => {
    const router = await start({
      table: table([model('m', [], { admission: rules({ wakeTimeoutMs: 500 }) })]),
      limits: { commentAfterMs: 100, commentEveryMs: 100 },
    });
    const stream = await openStream(router.url, { model: 'm' });
    await stream.ended;
    expect(stream.status).toBe(200);
    await counted(router, 'requests_total{model="m",namespace="team-a",tenant="team-a",code="504"} 1\n');
    await counted(router, 'rejected_total{model="m",namespace="team-a",reason="wake_timeout"} 1\n');
    expect(await router.metrics()).not.toContain('code="200"');
    expect(await logged(router, 1)).toMatchObject([{ status: 504, model: 'team-a/m' }]);
  });

  test('a client that goes away while it waits is not refused, and its wait is known', async () => {
    const router = await start({ table: table([model('m', [])]) });
    const client = new AbortController();
    const gone = ask(router, {}, { signal: client.signal }).catch(() => 'aborted');
    await untilDemand(router, { held: 1 });
    client.abort();
    expect(await gone).toBe('aborted');
    await counted(router, 'code="499"} 1\n');
    await counted(router, 'hold_seconds_count{model="m",namespace="team-a"} 1\n');
    expect(await router.metrics()).not.toContain('rejected_total{');
  });

  test.each([true, false])(
    'a client that hangs up in the middle of an answer counts as such (stream: %j)',
    async (stream) => {
      const upstream = await engine();
      const open: (() => void)[] = [];
      upstream.answer = (_, reply) => {
        reply.writeHead(200, { 'content-type': stream ? 'text/event-stream' : 'application/json' });
        reply.write('data: {}\n\n');
        open.push(() => reply.destroy());
      };
      const router = await start({ table: table([model('m', [upstream.address])]) });
      const client = new AbortController();
      const answer = await fetch(`${router.url}/v1/completions`, {
        method: 'POST',
        body: JSON.stringify({ model: 'm', stream }),
        signal: client.signal,
      });
      expect(answer.status).toBe(200);
      client.abort();
      await counted(router, 'requests_total{model="m",namespace="team-a",tenant="team-a",code="499"} 1\n');
      expect(await logged(router, 1)).toMatchObject([{ status: 499, model: 'team-a/m' }]);
      // An engine that breaks off is not the client's doing.
      const broken = fetch(`${router.url}/v1/completions`, {
        method: 'POST',
        body: JSON.stringify({ model: 'm', stream }),
      }).then(async (reply) => await reply.text());
      await expect.poll(() => open.length, { message: 'it is at the engine' }).toBe(2);
      open[1]?.();
      await broken.catch(() => undefined);
      await counted(router, 'requests_total{model="m",namespace="team-a",tenant="team-a",code="200"} 1\n');
      expect(await router.metrics()).toContain('code="499"} 1\n');
    },
  );

  test.each([
    ['/v1/chat/completions', 'data: {"choices":[{"delta":{"content":"x"}}]}\n\n'],
    [
      '/v1/messages',
      'event: message_start\ndata: {"type":"message_start","message":{"usage":{"input_tokens":50,"output_tokens":1}}}\n\n',
    ],
  ])('%s: the tokens count of a stream whose client hangs up before its usage', async (path, first) => {
    const upstream = await engine();
    upstream.answer = (_, reply) => {
      reply.writeHead(200, { 'content-type': 'text/event-stream' });
      reply.write(first + 'data: {"choices":[{"delta":{"content":"x"}}]}\n\n'.repeat(19));
    };
    const router = await start({ workers: 1, table: table([model('m', [upstream.address])]) });
    const messages = [{ role: 'user', content: 'x'.repeat(160) }];
    const stream = await openStream(router.url, { model: 'm', max_tokens: 100, messages }, path);
    await expect.poll(() => stream.text().split('content').length).toBeGreaterThanOrEqual(19);
    stream.abort();
    await counted(router, 'code="499"} 1\n');
    await expect.poll(async () => Object.keys((await router.usage()).counts)).toEqual(['uid-m']);
    const [requests, prompt, completion] = (await router.usage()).counts['uid-m']?.['team-a'] ?? [];
    expect([requests, completion]).toEqual([1, 20]);
    expect(prompt).toBeGreaterThanOrEqual(50);
    expect(prompt).toBeLessThan(80);
    expect(await router.metrics()).toContain('tenant="team-a",kind="completion"} 20\n');
  });

  test('the prompt counts of an answer that is no stream, when its client hangs up at the engine', async () => {
    const upstream = await engine();
    upstream.answer = () => undefined;
    const router = await start({ workers: 1, table: table([model('m', [upstream.address])]) });
    const client = new AbortController();
    const gone = ask(router, { prompt: 'x'.repeat(400) }, { signal: client.signal }).catch(() => 'aborted');
    await expect.poll(() => upstream.requests.length).toBe(1);
    client.abort();
    expect(await gone).toBe('aborted');
    await expect.poll(async () => Object.keys((await router.usage()).counts)).toEqual(['uid-m']);
    const [requests, prompt, completion] = (await router.usage()).counts['uid-m']?.['team-a'] ?? [];
    expect([requests, completion]).toEqual([0, 0]);
    expect(prompt).toBeGreaterThanOrEqual(100);
    expect(prompt).toBeLessThan(120);
  });

  test('a prompt that cannot be counted costs no more than its bytes, and stops no counts of others', async () => {
    const upstream = await engine();
    upstream.answer = () => undefined;
    const router = await start({ workers: 1, table: table([model('m', [upstream.address])]) });
    const client = new AbortController();
    const messages = Array.from({ length: 70_000 }, () => ({ a: 1 }));
    const gone = ask(router, { messages }, { signal: client.signal }).catch(() => 'aborted');
    await expect.poll(() => upstream.requests.length).toBe(1);
    client.abort();
    expect(await gone).toBe('aborted');
    await expect.poll(async () => Object.keys((await router.usage()).counts)).toEqual(['uid-m']);
    const prompt = (await router.usage()).counts['uid-m']?.['team-a']?.[1];
    expect(prompt).toBe(upstream.requests[0]?.body.length);
    expect(await router.metrics()).toContain(`tenant="team-a",kind="prompt"} ${prompt}\n`);
  });

  test('what a request waits for a start is no part of its latency, and what it waits for room is', async () => {
    const upstream = await engine();
    const router = await start({ table: table([model('m', [])]) });
    const sum = async (name: string) => {
      const line = `${name}_seconds_sum{model="m",namespace="team-a"} `;
      return Number((await router.metrics()).split(line)[1]?.split('\n')[0]);
    };
    const asked = performance.now();
    const answer = ask(router);
    await untilDemand(router, { held: 1 });
    await waitAtLeast(300);
    await router.put(table([model('m', [upstream.address])]));
    expect((await answer).status).toBe(200);
    const total = (performance.now() - asked) / 1000;
    await counted(router, 'request_seconds_count{model="m",namespace="team-a"} 1\n');
    expect(await sum('hold')).toBeGreaterThan(0);
    // If the latency had the wait in it, the wait would be in this sum twice. The router rounds to milliseconds.
    expect((await sum('request')) + (await sum('hold'))).toBeLessThan(total + 0.005);
    expect(await router.metrics()).not.toContain('queue_seconds');

    const busy = await engine();
    const open = hold(busy);
    await router.put(table([limited(busy, 1)]));
    const answers = await askInTurn(router, [{}, {}]);
    busy.answer = (_, response) => response.end('{}');
    const before = await sum('request');
    const waited = (await waitAtLeast(300)) / 1000;
    open[0]?.answer();
    await answers[0];
    await answers[1];
    await counted(router, 'queue_seconds_count{model="m",namespace="team-a"} 1\n');
    // The first was at the engine meanwhile, and the second took at least as long as it waited.
    expect((await sum('request')) - before).toBeGreaterThan(waited + (await sum('queue')) - 0.005);
    expect(await router.metrics()).toContain('hold_seconds_count{model="m",namespace="team-a"} 1\n');
  });

  test('a response counts as shortened only if it exists and is shorter, and the log has it and the tier', async () => {
    const upstream = await engine();
    const open = hold(upstream);
    const degradation = [{ queueAbove: 0, maxTokens: 10 }];
    const router = await start({
      workers: 1,
      table: table([limited(upstream, 1, { degradation, maxQueue: 3 })]),
    });
    const answers = await askInTurn(
      router,
      [500, 500, 500, 5].map((max_tokens) => ({ max_tokens })),
    );
    expect((await ask(router, { max_tokens: 500 })).status).toBe(429);
    await answerEach(open, 0, 4);
    await Promise.all(answers);
    await counted(router, 'degraded_total{model="m",namespace="team-a",tier="1"} 1\n');
    await counted(router, 'rejected_total{model="m",namespace="team-a",reason="queue_full"} 1\n');
    const tiers = (await logged(router, 5)).map(({ status, tier, shortened }) => [status, tier, shortened]);
    expect(tiers.sort()).toEqual([
      [200, undefined, undefined],
      [200, undefined, undefined],
      [200, 1, undefined],
      [200, 1, true],
      [429, 1, undefined],
    ]);
  });

  test('the operator hears once of requests and tokens by tenant, and which of them the cache saved', async () => {
    const [store, upstream] = [keep(await startRedis()), await engine()];
    upstream.answer = (_, response) => {
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ usage: { prompt_tokens: 3, completion_tokens: 5, total_tokens: 8 } }));
    };
    const cache = { enabled: true, ttlSeconds: 60, policy: 'Deterministic' } as const;
    const models = [model('m', [upstream.address], { cache })];
    const router = await start({ workers: 2, table: table(models, { redis: store.settings }) });
    const asked = async (body = {}) => await ask(router, { temperature: 0, ...body });
    expect((await asked()).headers.get('x-cache')).toBe('MISS');
    await expect.poll(async () => (await asked()).headers.get('x-cache')).toBe('HIT');
    const hits = async () => Number(/cache_total\{.*result="HIT"\} (\d+)/.exec(await router.metrics())?.[1]);
    await expect.poll(hits).toBeGreaterThan(0);
    expect((await asked({ model: 'none' })).status).toBe(404);

    // Workers hand over what they have every second.
    let [sums, id] = [[0, 0, 0, 0, 0], 0];
    const longest: (number | undefined)[] = [];
    await expect
      .poll(async () => {
        const report = await router.usage(id);
        const counts = report.counts['uid-m']?.['team-a'];
        if (!counts) return sums[3];
        expect(await router.usage(id)).toEqual(report);
        id = report.id;
        longest.push(counts[5]);
        sums = sums.map((sum, i) => sum + (counts[i] ?? 0));
        return sums[3];
      })
      .toBe(await hits());
    const [requests = 0, prompt, completion, cached = 0, saved] = sums;
    expect({ prompt, completion, saved }).toEqual({
      prompt: 3 * (requests - cached),
      completion: 5 * (requests - cached),
      saved: 8 * cached,
    });
    expect(longest).toContain(8);
    expect(longest.every((tokens) => tokens === 8 || tokens === 0)).toBe(true);
    expect(await router.usage(id)).toEqual({ id, counts: {} });
  });

  test('a model that a budget stops is refused with 402, which client libraries do not repeat', async () => {
    const unavailable = { reason: 'BudgetExhausted', message: 'the budget of its namespace is used up' };
    const router = await start({ table: table([model('m', [], { unavailable })]) });
    const { status, headers, body } = await ask(router);
    expect(status).toBe(402);
    expect(headers.get('retry-after')).toBeNull();
    expect(body).toMatchObject({
      error: {
        code: 402,
        type: 'PaymentRequiredError',
        message: 'The model `m` is not available: BudgetExhausted. Its status says more.',
      },
    });
  });
});

/** What is measured here is time, so some has to pass; how much more does not matter. Returns how many milliseconds passed. */
async function waitAtLeast(ms: number): Promise<number> {
  const since = performance.now();
  await expect.poll(() => performance.now() - since, { message: 'time passes' }).toBeGreaterThan(ms);
  return performance.now() - since;
}
