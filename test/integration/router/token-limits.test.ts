import { describe, expect, test, vi } from 'vitest';
import { PATIENCE } from '../../support/patience.ts';
import { model, table } from '../../support/route-table.ts';
import { askLimited, limitedKey, startLimited } from './support/limited.ts';
import { perTest } from './support/per-test.ts';
import { startRedis } from './support/redis.ts';
import type { RouterOptions } from './support/router.ts';
import { openStream } from './support/stream.ts';

const USAGE = { prompt_tokens: 40, completion_tokens: 20, total_tokens: 60 };
const RESPONSE_USAGE = { input_tokens: 40, output_tokens: 20, total_tokens: 60 };
const LURE = { usage: 'x', prompt_tokens: 'x', input_tokens: '0' };
const TOOLS = [{ type: 'function', parameters: { usage: { input_tokens: 0, output_tokens: 0 } } }];
const LONG = Array.from({ length: 2000 }, (_, i) => i);

const many = (n: number, item: unknown) => Array.from({ length: n }, () => item);

const event = (data: object) => `data: ${JSON.stringify(data)}\n\n`;

/** What vLLM answers: a stream for what pydantic takes for true, with usage if it is asked for. */
function chat(body: Record<string, unknown>): string | object {
  if (![true, 1, '1', 'true', 'Yes', 'ON', 't'].includes(body.stream as never))
    return { choices: [], usage: USAGE };
  const options = body.stream_options as { include_usage?: boolean } | undefined;
  return (
    event({ choices: [{ delta: { content: '"usage":{"prompt_tokens":0}' } }] }) +
    (options?.include_usage ? event({ choices: [], usage: USAGE }) : '') +
    'data: [DONE]\n\n'
  );
}

const response = (usage: object | null) => ({ metadata: LURE, tools: TOOLS, usage, user: 'u'.repeat(3000) });
const responses = (body: Record<string, unknown>) =>
  body.stream
    ? event({ type: 'response.created', response: response(null) }) +
      event({ type: 'response.completed', response: response(RESPONSE_USAGE) })
    : response(RESPONSE_USAGE);

describe('tokens per minute', () => {
  const started = perTest();
  const { keep } = started;
  const setUp = async (
    limit: number,
    answer?: (body: Record<string, unknown>) => string | object,
    options: RouterOptions = {},
  ) => await startLimited(started, limit, answer, options);

  test.each<[string, string, object, (body: Record<string, unknown>) => string | object]>([
    ['a stream', '/v1/chat/completions', { stream: true }, chat],
    ['"stream": 1', '/v1/chat/completions', { stream: 1 }, chat],
    ['"stream": "true"', '/v1/completions', { stream: 'true' }, chat],
    ['"stream": "Yes"', '/v1/chat/completions', { stream: 'Yes' }, chat],
    ['a stream of /invocations', '/invocations', { stream: true, messages: [] }, chat],
    ['text behind the usage', '/v1/completions', {}, () => ({ usage: USAGE, prompt_token_ids: LONG })],
    ['a batch', '/v1/chat/completions/batch', {}, () => ({ choices: [], usage: USAGE })],
    ['lures in front of the usage', '/v1/responses', {}, responses],
    ['lures in front of the usage of a stream', '/v1/responses', { stream: true }, responses],
    [
      'a stream of the Messages API',
      '/v1/messages',
      { stream: true },
      () =>
        event({ type: 'message_start', message: { usage: { input_tokens: 40, output_tokens: 0 } } }) +
        event({ type: 'message_delta', delta: {}, usage: { output_tokens: 20 } }),
    ],
    [
      'an answer that says nothing of tokens',
      '/inference/v1/generate',
      { sampling_params: { max_tokens: '1_0' } },
      () => ({ choices: [] }),
    ],
    [
      'a stream that says nothing of tokens',
      '/inference/v1/generate',
      { stream: true },
      () => event({ choices: [1] }).repeat(60),
    ],
  ])('count for %s', async (_, path, body, answer) => {
    const { router, upstream } = await setUp(50, answer);
    expect((await askLimited(router, path, body)).status).toBe(200);
    await expect
      .poll(async () => (await askLimited(router, path, body)).status, { message: 'the limit is reached' })
      .toBe(429);
    expect(upstream.requests.length).toBeLessThan(6);
  });

  test.each([1, 7, 40])('are read from an answer that comes in pieces of %i bytes', async (size) => {
    const { router, upstream } = await setUp(50);
    const text = JSON.stringify({ ...response(RESPONSE_USAGE), user: 'a \\" "usage":{\\\\' });
    upstream.answer = (_, reply) => {
      reply.writeHead(200, { 'content-type': 'application/json' });
      const send = (at: number) => {
        if (at >= text.length) return void reply.end();
        reply.write(text.slice(at, at + size), () => setImmediate(send, at + size));
      };
      send(0);
    };
    await askLimited(router, '/v1/responses', {});
    await expect
      .poll(
        async () => {
          const metrics = await router.metrics();
          return /kind="prompt"} 40\n/.test(metrics) && /kind="completion"} 20\n/.test(metrics);
        },
        { message: 'they are counted' },
      )
      .toBeTruthy();
  });

  test('hanging up before the usage comes costs what was reserved, or what was seen', async () => {
    const { router, upstream } = await setUp(400);
    const hangUp = async (body: object) => {
      const stream = await openStream(router.url, { model: 'm', ...body }, '/v1/chat/completions', {
        authorization: 'Bearer k',
      });
      const { status } = stream;
      if (status === 200) {
        upstream.push('{"choices":[1]}');
        await expect
          .poll(() => stream.text().includes('[1]'), { message: 'the client has a token' })
          .toBeTruthy();
      }
      stream.abort();
      await stream.ended;
      return status;
    };
    const passed: number[] = [];
    await expect
      .poll(
        async () => {
          const status = await hangUp({ max_tokens: 150 });
          if (status === 200) passed.push(status);
          return status === 429;
        },
        { message: 'the limit is reached' },
      )
      .toBeTruthy();
    expect(passed.length).toBeLessThanOrEqual(4);
  });

  test('hanging up before a whole answer comes costs what was reserved', async () => {
    const { router, upstream } = await setUp(400);
    upstream.answer = () => undefined;
    let asked = 0;
    await expect
      .poll(
        async () => {
          const client = new AbortController();
          const answer = askLimited(router, '/v1/completions', { max_tokens: 150 }, client.signal).catch(
            () => undefined,
          );
          asked += 1;
          const came = vi
            .waitFor(() => expect(upstream.requests.length).toBe(asked), { ...PATIENCE, timeout: 5_000 })
            .then(
              () => undefined,
              () => undefined,
            );
          const first = await Promise.race([answer, came]);
          client.abort();
          await answer;
          return first?.status === 429;
        },
        { message: 'the limit is reached' },
      )
      .toBeTruthy();
    expect(asked).toBeLessThan(6);
  });

  test('requests that run together cannot use more than the limit and what one of them may use', async () => {
    const redis = keep(await startRedis());
    const { router, upstream, routes } = await setUp(100);
    await router.put(routes({ redis: redis.settings }));
    upstream.answer = () => undefined;
    const client = new AbortController();
    const asked = Array.from(
      { length: 10 },
      async () =>
        await askLimited(router, '/v1/completions', { max_tokens: 60 }, client.signal).catch(() => undefined),
    );
    const answers: (Awaited<ReturnType<typeof askLimited>> | undefined)[] = [];
    for (const one of asked) void one.then((answer) => answers.push(answer));
    // Which of them pass depends on whose count comes first to Redis; never more than two.
    await expect.poll(() => answers.length >= 8, { message: 'the others are refused' }).toBe(true);
    const refused = await Promise.race(asked);
    expect(refused?.status).toBe(429);
    expect(refused?.text).toContain('tokens per minute, with what its requests under way may use');
    expect(upstream.requests.length).toBeLessThanOrEqual(2);
    client.abort();
    await Promise.all(asked);
  });

  test.each<[string, string, object]>([
    ['a list of prompts', '/v1/completions', { max_tokens: 1000, prompt: many(50, 'a') }],
    ['prompts as tokens', '/v1/completions', { max_tokens: 1000, prompt: many(50, [1, 2]) }],
    ['embedded prompts', '/v1/completions', { max_tokens: 1000, prompt_embeds: many(50, 'AA==') }],
    ['a batch of chats', '/v1/chat/completions/batch', { max_tokens: 1000, messages: many(50, []) }],
    ['more prompts than are counted', '/v1/completions', { max_tokens: 1, prompt: many(70_000, []) }],
    [
      'options behind a long text',
      '/inference/v1/generate',
      { sampling_params: { stop: 'x'.repeat(70_000), max_tokens: 50_000 } },
    ],
    [
      'options with many answers',
      '/inference/v1/generate',
      { sampling_params: { n: '500', max_tokens: 100 } },
    ],
  ])('%s reserves what all its answers may have', async (_, path, body) => {
    const { router, upstream } = await setUp(50_000);
    upstream.answer = () => undefined;
    const client = new AbortController();
    const first = askLimited(router, path, body, client.signal).catch(() => undefined);
    await expect.poll(() => upstream.requests.length, { message: 'it is at the engine' }).toBe(1);
    // One that passed would wait for ever, as the first does.
    expect((await askLimited(router, path, body, client.signal)).status).toBe(429);
    client.abort();
    await first;
  });

  test.each([
    ['too many digits', '9'.repeat(400)],
    ['more than Redis counts to', '9223372036854775807'],
    ['twice too much for Redis', '9000000000000000000'],
  ])(
    'an engine that makes up %s neither frees a key of its limit nor breaks the counters',
    async (_, number) => {
      const redis = keep(await startRedis());
      const { router, upstream, routes } = await setUp(100);
      upstream.answer = (_, reply) =>
        reply.writeHead(200).end(`{"usage":{"prompt_tokens":1,"completion_tokens":${number}}}`);
      await router.put(routes({ redis: redis.settings }));
      await Promise.all(many(3, 0).map(async () => await askLimited(router, '/v1/completions', {})));
      await expect
        .poll(async () => (await askLimited(router, '/v1/completions', {})).status, {
          message: 'it is counted',
        })
        .toBe(429);
      const name = await redis.command('--scan', '--pattern', '*:t');
      await expect
        .poll(async () => Number(await redis.command('GET', name)) > 1e5, { message: 'in Redis too' })
        .toBe(true);
      expect(await router.metrics()).not.toMatch(/tokens_total\{.* (inf|-)/);
      expect(router.errors()).toBe('');
    },
  );

  test('what Redis forgot, or makes up, does not count for less than what the router counted itself', async () => {
    const redis = keep(await startRedis());
    const { router, routes } = await setUp(100, () => ({ usage: USAGE }));
    await router.put(routes({ redis: redis.settings }));
    const minute = () => Math.floor(Date.now() / 60_000);
    let began: number;
    let status: number;
    do {
      began = minute();
      await expect.poll(async () => (await askLimited(router, '/v1/completions', {})).status).toBe(429);
      for (const name of (await redis.command('--scan', '--pattern', '*:t')).split('\n')) {
        await redis.command('SET', name, '-9000000000');
      }
      status = (await askLimited(router, '/v1/completions', {})).status;
    } while (minute() !== began);
    expect(status).toBe(429);
  });

  test('a response with headers that are too large costs the reservation', async () => {
    const { upstream, router } = await setUp(1000);
    upstream.answer = (_, reply) => {
      reply.writeHead(200, { metadata: 'x'.repeat(70_000) });
      reply.end();
    };
    const embed = async () =>
      (await askLimited(router, '/v1/embeddings', { input: 'x'.repeat(8000) })).status;
    expect(await embed()).toBe(502);
    expect(await embed()).toBe(429);
  });

  test('what was reserved and not used is given back, also by a request that was refused', async () => {
    const { router, upstream } = await setUp(300, () => ({
      choices: [],
      usage: { prompt_tokens: 1, completion_tokens: 1 },
    }));
    const once = async () => (await askLimited(router, '/v1/completions', { max_tokens: 100_000 })).status;
    for (let i = 0; i < 5; i += 1)
      await expect.poll(async () => await once(), { message: 'it is let in' }).toBe(200);
    upstream.answer = (_, reply) => reply.writeHead(400).end('{}');
    for (let i = 0; i < 5; i += 1)
      await expect.poll(async () => await once(), { message: 'the engine refuses it' }).toBe(400);
  });

  test('a key with a token limit cannot use websockets, whose tokens are not counted', async () => {
    const { router } = await setUp(100);
    const refused = await fetch(`${router.url}/v1/realtime?model=m`, {
      headers: { authorization: 'Bearer k' },
    });
    expect(refused.status).toBe(403);
    expect(await refused.json()).toMatchObject({
      error: { message: expect.stringContaining('the tokens of /v1/realtime cannot be counted') },
    });
  });

  test('a stream that waited, and got comments meanwhile, counts as any other', async () => {
    const { router, upstream, routes } = await setUp(100, undefined, {
      limits: { commentAfterMs: 200, commentEveryMs: 100 },
    });
    await router.put(table([model('m', [])], { auth: 'APIKey', keys: [limitedKey(100)] }));
    const stream = await openStream(router.url, { model: 'm', max_tokens: 150 }, '/v1/chat/completions', {
      authorization: 'Bearer k',
    });
    await router.put(routes());
    await expect.poll(() => upstream.streams.size, { message: 'the engine has it' }).toBe(1);
    stream.abort();
    await expect.poll(() => upstream.streams.size, { message: 'the engine is free' }).toBe(0);
    await expect
      .poll(async () => (await askLimited(router, '/v1/completions', {})).status, {
        message: 'the limit is reached',
      })
      .toBe(429);
  });
});
