import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createSimServer, type SimServer } from '../../../hack/vllm-sim/sim-server.ts';
import { type ErrorBody, events, post } from './http-helpers.ts';

const SPEED = { VLLM_SIM_TIME_SCALE: '0.01' };
const LISTEN = ['--host', '127.0.0.1', '--port', '0'];
const messages = [{ role: 'user', content: 'Hello' }];

let servers: SimServer[];
let engine: SimServer;
let scorer: SimServer;
let speech: SimServer;

beforeAll(async () => {
  servers = await Promise.all([
    createSimServer({
      args: [
        'org/model',
        '--served-model-name',
        'chat',
        'alias',
        '--enable-lora',
        '--lora-modules',
        'sql=/loras/sql',
        '--enable-sleep-mode',
        '--api-key',
        'k1',
        '--enable-request-id-headers',
        '--enable-prompt-tokens-details',
        ...LISTEN,
      ],
      env: {
        ...SPEED,
        VLLM_SERVER_DEV_MODE: '1',
        VLLM_ALLOW_RUNTIME_LORA_UPDATING: 'True',
        VLLM_SIM_MODE: 'echo',
      },
    }),
    createSimServer({ args: ['BAAI/bge-reranker-v2-m3', ...LISTEN], env: SPEED }),
    createSimServer({ args: ['openai/whisper-large-v3', ...LISTEN], env: SPEED }),
  ]);
  [engine, scorer, speech] = servers as [SimServer, SimServer, SimServer];
});

afterAll(async () => {
  await Promise.all(servers.map((server) => server.close()));
});

const keyed = { headers: { authorization: 'Bearer k1' } };

async function error(response: Response): Promise<ErrorBody['error'] & { status: number }> {
  return { status: response.status, ...((await response.json()) as ErrorBody).error };
}

describe('API key', () => {
  test('guards /v1 and nothing else', async () => {
    const refused = await post(`${engine.url}/v1/chat/completions`, { messages });
    expect([refused.status, await refused.json()]).toEqual([401, { error: 'Unauthorized' }]);
    expect(
      (await fetch(`${engine.url}/v1/models`, { headers: { authorization: 'Bearer wrong' } })).status,
    ).toBe(401);
    expect((await fetch(`${engine.url}/v1/models`, keyed)).status).toBe(200);
    for (const path of ['/health', '/metrics', '/version', '/load', '/is_sleeping']) {
      expect((await fetch(engine.url + path)).status).toBe(200);
    }
  });
});

describe('bodies', () => {
  const chat = (body: unknown, init: RequestInit = keyed): Promise<Response> =>
    post(`${engine.url}/v1/chat/completions`, body, init);

  test('are checked before the model is looked up', async () => {
    expect(await error(await chat('{"messages": [', keyed))).toMatchObject({
      status: 400,
      type: 'Bad Request',
      code: 400,
      message: expect.stringMatching(/^1 validation error:\n {2}\{'type': 'json_invalid'/),
    });
    expect(await error(await chat({ model: 'nope' }))).toMatchObject({ status: 400, param: 'body.messages' });
    expect(await error(await chat({ model: 7, messages }))).toMatchObject({
      status: 400,
      param: 'body.model',
    });
    expect(await error(await chat({ messages, stream_options: { include_usage: true } }))).toMatchObject({
      status: 400,
      param: 'stream_options',
    });
    expect(await error(await chat({ messages, tools: [] }))).toMatchObject({ status: 400, param: 'tools' });
    expect(
      await error(await chat({ messages, tools: [{ type: 'function', function: { name: 'f' } }] })),
    ).toMatchObject({
      status: 400,
      type: 'BadRequestError',
      message: expect.stringContaining('--enable-auto-tool-choice'),
    });
    const plain = { headers: { ...keyed.headers, 'content-type': 'text/plain' } };
    expect((await error(await chat({ messages }, plain))).message).toContain(
      "Only 'application/json' is allowed",
    );
  });

  test('of invalid UTF-8 are refused', async () => {
    const response = await fetch(`${engine.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { ...keyed.headers, 'content-type': 'application/json' },
      body: Buffer.from([0x7b, 0xff, 0x7d]),
    });
    expect(await error(response)).toMatchObject({
      status: 400,
      message: 'There was an error parsing the body',
    });
  });

  test('echo in echo mode, under any served name, with the request id passed on', async () => {
    const response = await chat(
      { model: 'alias', messages },
      { headers: { ...keyed.headers, 'x-request-id': 'abc' } },
    );
    expect(response.headers.get('x-request-id')).toBe('abc');
    expect(await response.json()).toMatchObject({
      id: 'chatcmpl-abc',
      model: 'chat',
      choices: [{ message: { content: 'Hello' }, finish_reason: 'stop' }],
    });
  });

  test('with the same beginning share its cache, unless salted apart', async () => {
    const long = [{ role: 'user', content: 'tell me all about paged attention '.repeat(20) }];
    const cached = async (fields: object): Promise<number> => {
      const body = (await (await chat({ messages: long, max_tokens: 2, ...fields })).json()) as {
        usage: { prompt_tokens_details: { cached_tokens: number } };
      };
      return body.usage.prompt_tokens_details.cached_tokens;
    };
    expect(await cached({})).toBe(0);
    expect(await cached({})).toBe(160);
    expect(await cached({ cache_salt: 'tenant-a' })).toBe(0);
    expect(await cached({ model: 'sql' })).toBe(0);
  });
});

describe('paths', () => {
  test('that do not exist, and wrong methods', async () => {
    const unknown = await fetch(`${engine.url}/nope`);
    expect([unknown.status, await unknown.json()]).toEqual([404, { detail: 'Not Found' }]);
    const wrong = await fetch(`${engine.url}/v1/chat/completions`, keyed);
    expect(wrong.headers.get('allow')).toBe('POST');
    expect([wrong.status, await wrong.json()]).toEqual([405, { detail: 'Method Not Allowed' }]);
  });

  test('of the tokenizer go there and back', async () => {
    const { tokens, count } = (await (
      await post(`${engine.url}/tokenize`, { prompt: 'Grüße, world' })
    ).json()) as { tokens: number[]; count: number };
    expect(count).toBe(tokens.length);
    expect(await (await post(`${engine.url}/detokenize`, { tokens })).json()).toEqual({
      prompt: 'Grüße, world',
    });
    expect(await (await post(`${engine.url}/tokenize`, { messages })).json()).toMatchObject({
      count: 6,
      max_model_len: 32768,
    });
  });

  test('of Anthropic clients', async () => {
    const body = { model: 'chat', messages, max_tokens: 50 };
    const whole = await (await post(`${engine.url}/v1/messages`, body, keyed)).json();
    expect(whole).toMatchObject({
      type: 'message',
      content: [{ type: 'text', text: 'Hello' }],
      stop_reason: 'end_turn',
    });
    const stream = await events(await post(`${engine.url}/v1/messages`, { ...body, stream: true }, keyed));
    expect(stream.map((data) => (JSON.parse(data) as { type: string }).type)).toEqual([
      'message_start',
      'content_block_start',
      'content_block_delta',
      'content_block_delta',
      'content_block_stop',
      'message_delta',
      'message_stop',
    ]);
    const missing = await post(`${engine.url}/v1/messages`, { ...body, model: 'nope' }, keyed);
    expect([missing.status, await missing.json()]).toMatchObject([
      404,
      { type: 'error', error: { type: 'NotFoundError' } },
    ]);
  });

  test('of rerankers', async () => {
    const rerank = (await (
      await post(`${scorer.url}/v1/rerank`, { query: 'q', documents: ['a', 'b', 'c'], top_n: 2 })
    ).json()) as { results: { relevance_score: number }[] };
    expect(rerank.results).toHaveLength(2);
    expect(rerank.results[0]?.relevance_score).toBeGreaterThanOrEqual(
      rerank.results[1]?.relevance_score ?? 2,
    );
    const score = await (await post(`${scorer.url}/score`, { text_1: 'q', text_2: ['a', 'b'] })).json();
    expect(score).toMatchObject({ data: [{ object: 'score', index: 0 }, { index: 1 }] });
    expect(await (await post(`${scorer.url}/classify`, { input: 'x' })).json()).toMatchObject({
      data: [{ num_classes: 1 }],
    });
    expect((await post(`${scorer.url}/v1/embeddings`, { input: 'x' })).status).toBe(404);
  });

  test('of speech models', async () => {
    const form = new FormData();
    form.set('model', 'openai/whisper-large-v3');
    form.set('file', new Blob([new Uint8Array(64_000)]), 'a.wav');
    const response = await fetch(`${speech.url}/v1/audio/transcriptions`, { method: 'POST', body: form });
    expect(await response.json()).toMatchObject({
      text: expect.any(String),
      usage: { type: 'duration', seconds: 2 },
    });
    form.delete('file');
    expect(
      await error(await fetch(`${speech.url}/v1/audio/transcriptions`, { method: 'POST', body: form })),
    ).toMatchObject({ status: 400, param: 'body.file' });
  });
});

describe('adapters', () => {
  test('are listed, loaded and unloaded', async () => {
    const load = (name: string): Promise<Response> =>
      post(`${engine.url}/v1/load_lora_adapter`, { lora_name: name, lora_path: `/loras/${name}` }, keyed);
    const loaded = await load('legal');
    expect([loaded.status, await loaded.text()]).toEqual([
      200,
      "Success: LoRA adapter 'legal' added successfully.",
    ]);
    expect(await error(await load('legal'))).toMatchObject({ status: 400, type: 'InvalidUserInput' });
    const models = (await (await fetch(`${engine.url}/v1/models`, keyed)).json()) as {
      data: { id: string; parent: string | null; root: string }[];
    };
    expect(models.data.map(({ id, root, parent }) => [id, root, parent])).toEqual([
      ['chat', 'org/model', null],
      ['alias', 'org/model', null],
      ['sql', '/loras/sql', 'chat'],
      ['legal', '/loras/legal', 'chat'],
    ]);
    const answer = await post(`${engine.url}/v1/chat/completions`, { model: 'legal', messages }, keyed);
    expect(await answer.json()).toMatchObject({ model: 'legal' });
    const unload = (): Promise<Response> =>
      post(`${engine.url}/v1/unload_lora_adapter`, { lora_name: 'legal' }, keyed);
    expect((await unload()).status).toBe(200);
    expect(await error(await unload())).toMatchObject({ status: 404, type: 'NotFoundError' });
    expect(
      (await post(`${engine.url}/v1/chat/completions`, { model: 'legal', messages }, keyed)).status,
    ).toBe(404);
  });
});

describe('sleep', () => {
  test('keeps requests waiting and stays healthy', async () => {
    expect((await fetch(`${engine.url}/sleep?level=1`, { method: 'POST' })).status).toBe(200);
    expect(await (await fetch(`${engine.url}/is_sleeping`)).json()).toEqual({ is_sleeping: true });
    expect((await fetch(`${engine.url}/health`)).status).toBe(200);
    expect(await (await fetch(`${engine.url}/metrics`)).text()).toMatch(
      /engine_sleep_state\{[^}]*sleep_state="weights_offloaded"\} 1\.0/,
    );
    let answered = false;
    const waiting = post(`${engine.url}/v1/chat/completions`, { messages }, keyed).then((response) => {
      answered = true;
      return response;
    });
    expect((await fetch(`${engine.url}/wake_up`, { method: 'POST' })).status).toBe(200);
    expect((await waiting).status).toBe(200);
    expect(answered).toBe(true);
    expect(await (await fetch(`${engine.url}/is_sleeping`)).json()).toEqual({ is_sleeping: false });
  });
});
