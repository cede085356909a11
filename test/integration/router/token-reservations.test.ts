/** How many tokens a request reserves by its body, and what it costs when the engine's answer does not say, or says what is not so. */
import { describe, expect, test } from 'vitest';
import { askLimited, startLimited } from './support/limited.ts';
import { perTest } from './support/per-test.ts';

const image = (url: string) => ({ type: 'image_url', image_url: { url } });
const says = (...content: object[]) => ({ messages: [{ role: 'user', content }], max_tokens: 1 });
const QUERY = 'a query '.repeat(500); // 1000 tokens, as the router counts
const TEXTS = Array.from({ length: 50 }, () => 'a');
const CONTENT = { content: TEXTS.map((text) => ({ type: 'text', text })) };
const IMAGE = 'https://x/a.png';
const ESCAPED = JSON.stringify({ model: 'm', ...says(image(IMAGE), image(IMAGE), image(IMAGE)) }).replaceAll(
  'image_url',
  'image\\u005furl',
);
const IDS = Array.from({ length: 6000 }, () => 1);

describe('a request that runs', () => {
  const started = perTest();
  const minute = () => Math.floor(Date.now() / 60_000);
  /** Asks while another one like that is at the engine. */
  const askTwice = async (limit: number, path: string, body: object | string) => {
    const { router, upstream } = await startLimited(started, limit);
    let began: number;
    let status: number;
    do {
      began = minute();
      upstream.requests.length = 0;
      upstream.answer = () => undefined;
      const client = new AbortController();
      const first = askLimited(router, path, body, client.signal).catch(() => undefined);
      await expect.poll(() => upstream.requests.length, { message: 'it is at the engine' }).toBe(1);
      upstream.answer = (_, reply) => reply.end('{}');
      ({ status } = await askLimited(router, path, body));
      client.abort();
      await first;
    } while (minute() !== began);
    return status;
  };

  test.each<[string, string, object | string]>([
    ['a query and documents', '/rerank', { query: QUERY, documents: TEXTS }],
    ['a query and documents', '/v1/rerank', { query: QUERY, documents: TEXTS.map((text) => ({ text })) }],
    ['a query and a document of many parts', '/v2/rerank', { query: QUERY, documents: CONTENT }],
    [
      'a query of parts and documents',
      '/v1/rerank',
      { query: { content: [QUERY, 'a'].map((text) => ({ type: 'text', text })) }, documents: TEXTS },
    ],
    ['a text and texts', '/score', { text_1: QUERY, text_2: TEXTS }],
    ['a list of one text and texts', '/v1/score', { text_1: [QUERY], text_2: TEXTS }],
    ['data', '/score', { data_1: QUERY, data_2: TEXTS }],
    ['queries and documents', '/v1/score', { queries: QUERY, documents: TEXTS }],
    ['queries and items', '/score', { queries: [QUERY], items: TEXTS }],
    ['a query of tokens and items', '/generative_scoring', { query: IDS, items: TEXTS.map(() => [1]) }],
    ['a query and documents', '/invocations', { query: QUERY, documents: TEXTS }],
    ['a picture', '/v1/chat/completions', says(image(IMAGE), image(IMAGE), image(IMAGE))],
    ['a picture without a type', '/v1/chat/completions', says(...TEXTS.map(() => ({ image_url: IMAGE })))],
    ['an escaped name', '/v1/chat/completions', ESCAPED],
    ['a video', '/v1/chat/completions', says({ type: 'video_url', video_url: { url: 'https://x/a.mp4' } })],
    [
      'sounds',
      '/v1/chat/completions',
      says(...TEXTS.map(() => ({ type: 'input_audio', input_audio: { data: '', format: 'wav' } }))),
    ],
    [
      'pictures in a batch',
      '/v1/chat/completions/batch',
      { messages: [says(image(IMAGE), image(IMAGE), image(IMAGE)).messages], max_tokens: 1 },
    ],
    [
      'pictures of a response',
      '/v1/responses',
      { input: says(...TEXTS.map(() => ({ type: 'input_image', image_url: IMAGE }))).messages },
    ],
    [
      'pictures of the Messages API',
      '/v1/messages',
      says(...TEXTS.map(() => ({ type: 'image', source: { type: 'url', url: IMAGE } }))),
    ],
    [
      'pictures in the result of a tool',
      '/v1/messages',
      says({
        type: 'tool_result',
        content: TEXTS.map(() => ({ type: 'image', source: { type: 'url', url: IMAGE } })),
      }),
    ],
    ['pictures to embed', '/v2/embed', { images: TEXTS.map(() => IMAGE) }],
    ['inputs to embed', '/v2/embed', { inputs: [{ content: [image(IMAGE), image(IMAGE), image(IMAGE)] }] }],
    ['tokens to embed', '/v1/embeddings', { input: [IDS, IDS] }],
    ['a prompt of tokens', '/v1/completions', { prompt: [...IDS, ...IDS], max_tokens: 1 }],
    [
      'tokens to generate from',
      '/inference/v1/generate',
      { token_ids: [...IDS, ...IDS], sampling_params: { max_tokens: 1 } },
    ],
    [
      'more members than are counted',
      '/v1/chat/completions',
      says(...Array.from({ length: 70_000 }, () => ({ a: 1 }))),
    ],
  ])('reserves all of %s (%s)', async (_, path, body) => {
    const limit = Math.max(10_000, Math.ceil(JSON.stringify(body).length / 4) + 1000);
    expect(await askTwice(limit, path, body)).toBe(429);
  });

  test.each<[string, string, object]>([
    [
      'as many queries as documents',
      '/score',
      { text_1: TEXTS.map(() => QUERY.slice(0, 100)), text_2: TEXTS },
    ],
    [
      'a picture in the request',
      '/v1/chat/completions',
      says(image(`data:image/png;base64,${'A'.repeat(400_000)}`)),
    ],
    [
      'a schema with the name of one',
      '/v1/chat/completions',
      { ...says({ type: 'text', text: 'a' }), tools: TEXTS.map(() => image(IMAGE)) },
    ],
  ])('reserves no more than it needs for %s', async (_, path, body) => {
    expect(await askTwice(10_000, path, body)).toBe(200);
  });
});

describe('an answer', () => {
  const started = perTest();
  const BODY = { input: 'x '.repeat(1000), prompt: 'x '.repeat(1000) }; // 1000 tokens

  test('of embeddings as bytes costs what its header says', async () => {
    const { router, upstream } = await startLimited(started, 2000);
    upstream.answer = (_, reply) => {
      const usage = { prompt_tokens: 2500, total_tokens: 2500, completion_tokens: 0 };
      reply.writeHead(200, { metadata: JSON.stringify({ model: 'm', data: [{ index: 0 }], usage }) });
      reply.end(Buffer.alloc(4096));
    };
    const embed = async () => (await askLimited(router, '/v1/embeddings', BODY)).status;
    expect(await embed()).toBe(200);
    await expect.poll(embed, { message: 'the limit is reached' }).toBe(429);
    expect(upstream.requests.length).toBe(1);
  });

  test.each([
    ['an error after the work', 500],
    ['an error of a proxy', 502],
  ])('that is %s costs the prompt: %i', async (_, status) => {
    const { router, upstream } = await startLimited(started, 900);
    upstream.answer = (_, reply) => reply.writeHead(status).end('{"error":{}}');
    expect((await askLimited(router, '/v1/completions', BODY)).status).toBe(status);
    await expect
      .poll(async () => (await askLimited(router, '/v1/completions', BODY)).status, {
        message: 'it is counted',
      })
      .toBe(429);
  });

  test('that never comes, because the engine broke, costs the prompt', async () => {
    const { router, upstream } = await startLimited(started, 900);
    upstream.answer = (_, reply) => reply.destroy();
    expect((await askLimited(router, '/v1/completions', BODY)).status).toBe(502);
    await expect
      .poll(async () => (await askLimited(router, '/v1/completions', BODY)).status, {
        message: 'it is counted',
      })
      .toBe(429);
  });

  test.each([400, 404, 422, 501])('of %i, for which no engine works, costs nothing', async (status) => {
    const { router, upstream } = await startLimited(started, 900);
    upstream.answer = (_, reply) => reply.writeHead(status).end('{"error":{}}');
    for (let i = 0; i < 3; i += 1) {
      await expect
        .poll(async () => (await askLimited(router, '/v1/completions', BODY)).status, {
          message: 'it is let in',
        })
        .toBe(status);
    }
  });

  test.each<[string, object, object, number]>([
    ['of as many as were asked for', { max_tokens: 100 }, {}, 10_000],
    ['of as many as its model can', {}, { maxModelLen: 2048 }, 10_000],
    ['to one of many', { max_tokens: 10, n: 10, prompt: ['a', 'b'] }, {}, 20_000],
  ])('charges no more than it can have used, whatever it says: %s', async (_, body, fields, limit) => {
    const usage = { prompt_tokens: 900_000_000, completion_tokens: 900_000_000 };
    const { router } = await startLimited(started, limit, () => ({ usage }), { model: fields });
    const ask = async () => (await askLimited(router, '/v1/completions', body)).status;
    expect(await ask()).toBe(200);
    // The next one is let in too: what one engine says has not used up the key.
    await expect.poll(async () => /tokens_total\{/.test(await router.metrics())).toBe(true);
    expect(await ask()).toBe(200);
  });

  test('charges an answer that vLLM takes to have no limit all that it had', async () => {
    const usage = { prompt_tokens: 10, completion_tokens: 12_000 };
    const { router } = await startLimited(started, 10_000, () => ({ usage }));
    let answered = 0;
    await expect
      .poll(async () => {
        const body = { messages: [], max_completion_tokens: 0 };
        const { status } = await askLimited(router, '/v1/chat/completions', body);
        if (status === 200) answered += 1;
        return status;
      })
      .toBe(429);
    // One, and one before that is charged, or in the minute before.
    expect(answered).toBeLessThanOrEqual(3);
  });
});
