/** What a stream without usage costs: routers estimate its tokens by its events and their text. */
import { describe, expect, test } from 'vitest';
import { askLimited, startLimited } from './support/limited.ts';
import { perTest } from './support/per-test.ts';
import { openStream } from './support/stream.ts';

/** Of one token, as vLLM says it. */
const PROBABILITY = { token: 'x', logprob: -0.1234567, bytes: [120], top_logprobs: [] };

const many = (n: number, item: unknown) => Array.from({ length: n }, () => item);

const event = (data: object) => `data: ${JSON.stringify(data)}\n\n`;

describe('tokens per minute', () => {
  const started = perTest();
  const setUp = async (limit: number, answer?: (body: Record<string, unknown>) => string | object) =>
    await startLimited(started, limit, answer);

  test.each<[string, boolean, object]>([
    ['text of several tokens', true, { delta: { content: 'x'.repeat(8_000) } }],
    [
      'text without probabilities, as vLLM says it',
      true,
      { delta: { content: 'x'.repeat(8_000) }, logprobs: null },
    ],
    [
      'text that speaks of probabilities',
      true,
      { delta: { content: '"logprob":,"token_logprobs":['.repeat(300) } },
    ],
    ['one token', false, { delta: { content: 'x' } }],
    [
      'one token with its probability',
      false,
      { delta: { content: 'x' }, logprobs: { content: [PROBABILITY] } },
    ],
    ['probabilities of several tokens', true, { delta: {}, logprobs: { content: many(1_000, PROBABILITY) } }],
  ])('a stream without usage whose events hold %s costs its tokens', async (_, costsMore, choice) => {
    const first = event({ choices: [{ delta: { role: 'assistant', content: '' } }] });
    const { router } = await setUp(50_000, () => first + event({ choices: [choice] }).repeat(10));
    let passed = 0;
    const ask = async () => (await askLimited(router, '/v1/chat/completions', { stream: true })).status;
    while (passed < 12 && (await ask()) === 200) passed += 1;
    expect(passed < 12).toBe(costsMore);
  });

  test('a stream without usage costs its tokens where already its first event holds several', async () => {
    const { router, upstream } = await setUp(5_000);
    const text = (i: number) => event({ choices: [{ text: `${'x'.repeat(6_000)}-${i}-` }] });
    let write = (_text: string) => {};
    upstream.answer = (_, reply) => {
      reply.writeHead(200, { 'content-type': 'text/event-stream' });
      write = (part) => void reply.write(part);
      write(text(0));
    };
    const stream = await openStream(router.url, { model: 'm' }, '/v1/completions', {
      authorization: 'Bearer k',
    });
    for (let i = 0; i < 5; i += 1) {
      await expect
        .poll(() => stream.text().includes(`-${i}-`), { message: 'the client has the event' })
        .toBeTruthy();
      write(text(i + 1));
    }
    stream.abort();
    await stream.ended;
    upstream.answer = (_, reply) => {
      reply.writeHead(200, { 'content-type': 'application/json' });
      reply.end(JSON.stringify({ choices: [], usage: { prompt_tokens: 1, completion_tokens: 1 } }));
    };
    const ask = async () => (await askLimited(router, '/v1/completions', {})).status;
    await expect.poll(ask, { message: 'the limit is reached' }).toBe(429);
    expect(upstream.requests.length).toBeLessThan(20);
  });
});
