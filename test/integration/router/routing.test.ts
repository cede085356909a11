import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { model, table } from '../../support/route-table.ts';
import { type Engine, startEngine } from './support/engine.ts';
import { type Router, startRouter } from './support/router.ts';

const JSON_PATHS = [
  '/v1/chat/completions',
  '/v1/completions',
  '/v1/responses',
  '/v1/messages',
  '/v1/messages/count_tokens',
  '/v1/embeddings',
  '/v2/embed',
  '/pooling',
  '/classify',
  '/score',
  '/v1/score',
  '/rerank',
  '/v1/rerank',
  '/v2/rerank',
  '/tokenize',
  '/detokenize',
  '/invocations',
  '/generative_scoring',
  '/inference/v1/generate',
];

describe('routing', () => {
  let router: Router;
  let small: Engine;
  let large: Engine;

  beforeAll(async () => {
    [small, large] = await Promise.all([startEngine(), startEngine()]);
    router = await startRouter({
      table: table([
        model('small', [small.address], { adapters: ['sql-lora'], maxModelLen: 4096 }),
        model('large', [large.address], { servedNames: ['large', 'org/large'] }),
        model('asleep', []),
        model('suspended', [], {
          state: 'Suspended',
          unavailable: { reason: 'Suspended', message: 'The model is suspended.' },
        }),
      ]),
    });
  });
  afterAll(async () => {
    await router.close();
    await Promise.all([small.close(), large.close()]);
  });

  const post = async (path: string, body: string | Buffer, headers: Record<string, string> = {}) =>
    await fetch(router.url + path, {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/json', ...headers },
    });

  test.each(JSON_PATHS)('%s goes to the engine of the model in the body, unchanged', async (path) => {
    const body = JSON.stringify({
      messages: [{ role: 'user', content: '{"model":"small"}' }],
      model: 'large',
    });
    const response = await post(path, body);
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ path });
    const seen = large.requests.at(-1);
    expect(seen?.body.toString()).toBe(body);
    expect(seen?.path).toBe(path);
  });

  test('adapters and further served names are routed to the model that has them', async () => {
    const before = small.requests.length;
    expect((await post('/v1/completions', '{"model":"sql-lora"}')).status).toBe(200);
    expect(small.requests.length).toBe(before + 1);
    expect((await post('/v1/completions', '{"model":"org\\/large"}')).status).toBe(200);
    expect(large.requests.at(-1)?.body.toString()).toContain('org');
  });

  test('audio is routed by the form field, and its bytes arrive as they were sent', async () => {
    const form = new FormData();
    form.set('file', new Blob([Buffer.from([0, 255, 13, 10, 45, 45, 34])]), 'model="small".wav');
    form.set('model', 'large');
    const response = await fetch(`${router.url}/v1/audio/transcriptions`, { method: 'POST', body: form });
    expect(response.status).toBe(200);
    expect(large.requests.at(-1)?.body.includes(Buffer.from([0, 255, 13, 10, 45, 45, 34]))).toBe(true);
  });

  test('requests without a body name their model in the query', async () => {
    expect((await fetch(`${router.url}/tokenizer_info?model=small`)).status).toBe(200);
    expect(small.requests.at(-1)?.path).toBe('/tokenizer_info?model=small');
    expect((await fetch(`${router.url}/tokenizer_info`)).status).toBe(400);
  });

  test('the list of models has those that sleep, and adapters', async () => {
    const list = (await (await fetch(`${router.url}/v1/models`)).json()) as {
      object: string;
      data: { id: string }[];
    };
    expect(list.object).toBe('list');
    expect(list.data.map(({ id }) => id)).toEqual([
      'small',
      'sql-lora',
      'large',
      'org/large',
      'asleep',
      'suspended',
    ]);
    const one = await (await fetch(`${router.url}/v1/models/org/large`)).json();
    expect(one).toEqual({
      id: 'org/large',
      object: 'model',
      created: 1_700_000_000,
      owned_by: 'team-a',
      root: 'org/large',
      parent: null,
      max_model_len: null,
      permission: [],
    });
    expect(await (await fetch(`${router.url}/v1/models/sql-lora`)).json()).toMatchObject({
      parent: 'small',
      max_model_len: 4096,
    });
    expect((await fetch(`${router.url}/v1/models/none`)).status).toBe(404);
  });

  test.each(['/v1/models', '/v1/models/small'])('%s is only read', async (path) => {
    const refused = await fetch(`${router.url}${path}`, { method: 'DELETE' });
    expect([refused.status, refused.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
    expect(await refused.json()).toMatchObject({ error: { code: 405 } });
    expect((await fetch(`${router.url}${path}`, { method: 'HEAD' })).status).toBe(200);
  });

  test.each([
    ['an unknown model', '/v1/chat/completions', '{"model":"none"}', 404, 'model'],
    ['no model', '/v1/chat/completions', '{"messages":[]}', 400, 'model'],
    ['a model that is no string', '/v1/chat/completions', '{"model":["small"]}', 400, 'model'],
    ['an empty body', '/v1/chat/completions', '', 400, null],
    ['a list', '/v1/chat/completions', '[{"model":"small"}]', 400, null],
    ['a truncated body', '/v1/chat/completions', '{"model":"small","messages":[{"con', 400, null],
    ['text behind the object', '/v1/chat/completions', '{"model":"small"} x', 400, null],
    ['an unknown path', '/v2/chat', '{"model":"small"}', 404, null],
    ['a model that cannot be woken', '/v1/chat/completions', '{"model":"suspended"}', 503, null],
  ])('%s is answered in the shape of OpenAI', async (_, path, body, status, param) => {
    const response = await post(path, body);
    expect(response.status).toBe(status);
    expect(response.headers.get('content-type')).toBe('application/json');
    const { error } = (await response.json()) as { error: Record<string, unknown> };
    expect(error).toEqual({ message: expect.any(String), type: expect.any(String), param, code: status });
    if (status === 503) expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0);
  });

  test.each([
    '/sleep',
    '/wake_up',
    '/collective_rpc',
    '/v1/load_lora_adapter',
    '/v1/unload_lora_adapter',
    '/metrics',
    '/load',
    '/reset_prefix_cache',
    '/server_info',
    '/scale_elastic_ep',
    '/version',
    '/start_profile',
  ])('%s of engines is out of reach', async (path) => {
    const before = small.requests.length;
    const response = await post(`${path}?model=small`, '{"model":"small"}');
    expect(response.status).toBe(404);
    expect(small.requests.length).toBe(before);
  });

  test('a wrong method is refused with the right one', async () => {
    const response = await fetch(`${router.url}/v1/chat/completions`);
    expect(response.status).toBe(405);
    expect(response.headers.get('allow')).toBe('POST');
  });

  test('the model is found when it comes last, escaped, or twice (the last one counts, as for the engine)', async () => {
    for (const body of [
      '{"messages":[{"content":"\\"model\\":\\"small\\""}],"model":"large"}',
      '{"model":"l\\u0061rge"}',
      '{"mod\\u0065l":"large"}',
      '{"model":"small","model":"large"}',
      '{"a":"\\\\","model":"large"}',
      '\n{ "b" : [ {"model":"small"}, "]", -1.5e3 ] , "model" : "large" }\n',
      `{"deep":${'['.repeat(20000)}${']'.repeat(20000)},"model":"large"}`,
    ]) {
      const before = large.requests.length;
      expect((await post('/v1/chat/completions', body)).status, body.slice(0, 80)).toBe(200);
      expect(large.requests.length).toBe(before + 1);
    }
  });

  test('a name that is not valid UTF-8 is unknown, and the error is valid JSON', async () => {
    const response = await post(
      '/v1/chat/completions',
      Buffer.from([...Buffer.from('{"model":"'), 0xff, 0xfe, ...Buffer.from('"}')]),
    );
    expect(response.status).toBe(404);
    expect(new TextDecoder('utf-8', { fatal: true }).decode(await response.arrayBuffer())).toContain(
      'does not exist',
    );
  });

  test('a body of nearly 32 MiB is routed; a larger one is refused', async () => {
    const body = Buffer.from(
      JSON.stringify({ messages: [{ content: 'x'.repeat(33_554_000) }], model: 'large' }),
    );
    const response = await post('/v1/chat/completions', body);
    expect(await response.json()).toMatchObject({ length: body.length });
    const refused = await post('/v1/chat/completions', Buffer.alloc(33_554_433, 120));
    expect(refused.status).toBe(413);
    expect(await refused.json()).toMatchObject({ error: { code: 413 } });
  });

  test('no body is written to a file and read back', async () => {
    const bodies = join(router.directory, 'prefix/body');
    await rename(bodies, `${bodies}.gone`);
    try {
      const body = JSON.stringify({ messages: [{ content: 'x'.repeat(3_000_000) }], model: 'large' });
      const whole = await post('/v1/chat/completions', body);
      expect(await whole.json()).toMatchObject({ length: body.length });
      const pieces = await fetch(`${router.url}/v1/chat/completions`, {
        method: 'POST',
        duplex: 'half',
        body: new Blob([body]).stream(),
      } as RequestInit);
      expect(await pieces.json()).toMatchObject({ length: body.length });
    } finally {
      await rename(`${bodies}.gone`, bodies);
    }
  });

  test('chunked uploads are routed', async () => {
    const parts = ['{"messages":[],', '"model":', '"large"}'];
    const response = await fetch(`${router.url}/v1/chat/completions`, {
      method: 'POST',
      duplex: 'half',
      body: new ReadableStream({
        start(controller) {
          for (const part of parts) controller.enqueue(new TextEncoder().encode(part));
          controller.close();
        },
      }),
    } as RequestInit);
    expect(response.status).toBe(200);
    expect(large.requests.at(-1)?.body.toString()).toBe(parts.join(''));
  });

  test('request id and trace are passed on when they are sane, else made', async () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const kept = await post('/v1/completions', '{"model":"large"}', { 'x-request-id': 'abc-1', traceparent });
    expect(kept.headers.get('x-request-id')).toBe('abc-1');
    expect(large.requests.at(-1)?.headers).toMatchObject({ 'x-request-id': 'abc-1', traceparent });
    const made = await post('/v1/completions', '{"model":"large"}', {
      'x-request-id': 'a"b'.repeat(50),
      traceparent: 'x',
    });
    const id = made.headers.get('x-request-id') ?? '';
    expect(id).toMatch(/^[0-9a-f]{32}$/);
    expect(large.requests.at(-1)?.headers['x-request-id']).toBe(id);
    expect(large.requests.at(-1)?.headers.traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
  });

  test('an engine error reaches the client unchanged', async () => {
    large.answer = (_, response) => {
      response.writeHead(400, { 'content-type': 'application/json', 'x-engine': 'yes' });
      response.end(
        '{"error":{"message":"too long","type":"BadRequestError","param":"input_tokens","code":400}}',
      );
    };
    const response = await post('/v1/completions', '{"model":"large"}');
    expect(response.status).toBe(400);
    expect(response.headers.get('x-engine')).toBe('yes');
    expect(await response.json()).toMatchObject({ error: { message: 'too long' } });
  });
});
