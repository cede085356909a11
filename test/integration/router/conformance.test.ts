/** An OpenAI client must not notice the router: what it gets through it is compared with what the engine itself says. */
import OpenAI, { APIError, APIUserAbortError, NotFoundError } from 'openai';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type SimProcess, startSim } from '../../../hack/vllm-sim/start.ts';
import { engineAt, model, table } from '../../support/route-table.ts';
import { type Router, startRouter } from './support/router.ts';

const MODEL = 'Qwen/Qwen3-8B';
const messages = [{ role: 'user' as const, content: 'What is the weather in Bonn?' }];
const tools = [
  {
    type: 'function' as const,
    function: {
      name: 'get_weather',
      parameters: { type: 'object', properties: { city: { type: 'string' } } },
    },
  },
];

/** Headers that belong to a connection or to the one who sends, and differ by right. */
const OWN_HEADERS = [
  'date',
  'connection',
  'keep-alive',
  'transfer-encoding',
  'x-request-id',
  'x-accel-buffering',
  'x-content-type-options',
  'server',
];

let sim: SimProcess;
let embedder: SimProcess;
let router: Router;
const clients: Record<'engine' | 'router', OpenAI> = {} as never;

beforeAll(async () => {
  [sim, embedder] = await Promise.all([
    startSim({
      args: [MODEL, '--enable-auto-tool-choice', '--tool-call-parser', 'hermes', '--max-model-len', '4096'],
    }),
    startSim({ args: ['BAAI/bge-m3', '--served-model-name', 'bge'] }),
  ]);
  router = await startRouter({
    table: table([
      model('chat', [new URL(sim.url).host], { servedNames: [MODEL] }),
      model('embed', [new URL(embedder.url).host], { servedNames: ['bge'] }),
    ]),
  });
  clients.engine = new OpenAI({ baseURL: `${sim.url}/v1`, apiKey: 'none', maxRetries: 0 });
  clients.router = new OpenAI({ baseURL: `${router.url}/v1`, apiKey: 'none', maxRetries: 0 });
});
afterAll(async () => {
  await Promise.all([router?.close(), sim?.stop(), embedder?.stop()]);
});

/** The same with what names one answer, or its moment, taken out. */
function masked(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (key, field: unknown) =>
      ['id', 'created', 'created_at', 'completed_at', 'item_id'].includes(key) ? typeof field : field,
    ).replaceAll(/(chatcmpl|cmpl|call|resp|msg|embd)[-_][0-9a-z-]+/gi, '$1'),
  );
}

async function raw(url: string, path: string, body: string, method = 'POST') {
  const response = await fetch(url + path, {
    method,
    headers: { 'content-type': 'application/json' },
    ...(method === 'POST' && { body }),
  });
  const headers = Object.fromEntries([...response.headers].filter(([name]) => !OWN_HEADERS.includes(name)));
  const text = await response.text();
  const events =
    text.startsWith('data:') || text.startsWith('event:')
      ? text
          .split('\n')
          .map((line) => (line.startsWith('data: {') ? masked(JSON.parse(line.slice(6))) : line))
      : undefined;
  return { status: response.status, headers, body: events ?? masked(JSON.parse(text)) };
}

const generate = { model: MODEL, messages, temperature: 0, seed: 1, max_tokens: 12 };
const cases: [string, string, object][] = [
  ['a chat', '/v1/chat/completions', generate],
  ['a stream', '/v1/chat/completions', { ...generate, stream: true }],
  [
    'a stream with usage',
    '/v1/chat/completions',
    { ...generate, stream: true, stream_options: { include_usage: true } },
  ],
  ['tools', '/v1/chat/completions', { ...generate, tools }],
  ['streamed tools', '/v1/chat/completions', { ...generate, tools, stream: true }],
  ['a completion', '/v1/completions', { model: MODEL, prompt: 'Once', temperature: 0, max_tokens: 5 }],
  [
    'a streamed completion',
    '/v1/completions',
    { model: MODEL, prompt: 'Once', temperature: 0, max_tokens: 5, stream: true },
  ],
  ['a response', '/v1/responses', { model: MODEL, input: 'Hi', temperature: 0, max_output_tokens: 5 }],
  ['a message', '/v1/messages', { model: MODEL, messages, temperature: 0, max_tokens: 5 }],
  ['tokens', '/tokenize', { model: MODEL, prompt: 'Once upon a time' }],
  ['a wrong field', '/v1/chat/completions', { ...generate, temperature: -3 }],
  ['no messages', '/v1/chat/completions', { model: MODEL }],
  [
    'a prompt that is too long',
    '/v1/completions',
    { model: MODEL, prompt: 'word '.repeat(9000), max_tokens: 5 },
  ],
  ['a path for other models', '/v1/embeddings', { model: MODEL, input: 'x' }],
];

describe('field by field and header by header', () => {
  test.each(cases)('%s', async (_, path, body) => {
    const text = JSON.stringify(body);
    const [direct, routed] = [await raw(sim.url, path, text), await raw(router.url, path, text)];
    expect(routed).toEqual(direct);
  });

  test('an unknown model', async () => {
    const text = JSON.stringify({ ...generate, model: 'none' });
    const [direct, routed] = [
      await raw(sim.url, '/v1/chat/completions', text),
      await raw(router.url, '/v1/chat/completions', text),
    ];
    expect(routed.status).toBe(direct.status);
    expect(routed.body).toEqual(direct.body);
  });

  test('the entries of the list of models have the same fields', async () => {
    const list = async (url: string) =>
      ((await (await fetch(`${url}/v1/models`)).json()) as { data: object[] }).data[0] ?? {};
    expect(Object.keys(await list(router.url)).sort()).toEqual(Object.keys(await list(sim.url)).sort());
  });
});

describe('with the SDK of OpenAI', () => {
  test('chat, stream, embeddings and the list of models', async () => {
    const { choices, usage } = await clients.router.chat.completions.create(generate);
    expect(choices[0]?.message.content).toBeTruthy();
    expect(usage?.completion_tokens).toBe(12);
    let text = '';
    const chunks = [];
    for await (const chunk of await clients.router.chat.completions.create({ ...generate, stream: true })) {
      chunks.push(chunk);
      text += chunk.choices[0]?.delta.content ?? '';
    }
    expect(text).toBe(choices[0]?.message.content);
    expect(chunks.every((chunk) => chunk.choices.length > 0 && !chunk.usage)).toBe(true);
    const { data } = await clients.router.embeddings.create({ model: 'bge', input: ['a', 'b'] });
    expect(data.length).toBe(2);
    const models = [];
    for await (const entry of clients.router.models.list()) models.push(entry.id);
    expect(models).toEqual([MODEL, 'bge']);
    expect((await clients.router.models.retrieve(MODEL)).id).toBe(MODEL);
  });

  test('errors have the same class, status and message', async () => {
    for (const body of [
      { ...generate, model: 'none' },
      { ...generate, temperature: -3 },
      { ...generate, max_tokens: 100_000 },
    ]) {
      const failure = async (client: OpenAI) =>
        await client.chat.completions.create(body).then(
          () => undefined,
          (error: unknown) => error,
        );
      const [direct, routed] = [await failure(clients.engine), await failure(clients.router)];
      expect(routed).toBeInstanceOf(APIError);
      expect((routed as APIError).constructor).toBe((direct as APIError).constructor);
      expect((routed as APIError).message).toBe((direct as APIError).message);
    }
    await expect(clients.router.models.retrieve('none')).rejects.toBeInstanceOf(NotFoundError);
  });

  test('an abort frees the engine', async () => {
    const abort = new AbortController();
    const stream = await clients.router.chat.completions.create(
      { ...generate, max_tokens: 4000, stream: true },
      { signal: abort.signal },
    );
    const reading = (async () => {
      for await (const _ of stream) abort.abort();
    })();
    await reading.catch((error: unknown) => expect(error).toBeInstanceOf(APIUserAbortError));
    await expect
      .poll(
        async () =>
          (await (await fetch(`${sim.url}/metrics`)).text()).match(
            /vllm:num_requests_running\{.*\} 0(\.0)?\n/,
          ) !== null,
        { message: 'nothing runs' },
      )
      .toBe(true);
  });

  test('its retries are served: a model that sleeps and wakes costs a client nothing but time', async () => {
    const client = new OpenAI({ baseURL: `${router.url}/v1`, apiKey: 'none', maxRetries: 3 });
    const entry = model('chat', [], { servedNames: [MODEL] });
    await router.put(table([{ ...entry, unavailable: { reason: 'NoCapacity', message: 'full' } }]));
    const answer = client.completions.create({ model: MODEL, prompt: 'x', max_tokens: 2 }, { maxRetries: 0 });
    await expect(answer).rejects.toMatchObject({ status: 503, headers: expect.anything() });
    await router.put(table([entry]));
    const waiting = client.completions.create({ model: MODEL, prompt: 'x', max_tokens: 2 });
    await expect
      .poll(async () => (await router.demand()).models['uid-chat']?.held, { message: 'it is held' })
      .toBe(1);
    await router.put(table([{ ...entry, endpoints: [engineAt(new URL(sim.url).host)] }]));
    expect((await waiting).choices.length).toBe(1);
  });
});
