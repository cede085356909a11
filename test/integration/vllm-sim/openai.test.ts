import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type SimProcess, startSim } from '../../../hack/vllm-sim/start.ts';

const MODEL = 'Qwen/Qwen3-8B';
const messages = [{ role: 'user' as const, content: 'What is the weather in Bonn?' }];
const tools = [
  {
    type: 'function' as const,
    function: {
      name: 'get_weather',
      parameters: {
        type: 'object',
        properties: { city: { type: 'string' }, days: { type: 'integer' }, unit: { enum: ['c', 'f'] } },
      },
    },
  },
];

let sim: SimProcess;
let embedder: SimProcess;
let client: OpenAI;

beforeAll(async () => {
  [sim, embedder] = await Promise.all([
    startSim({
      args: [MODEL, '--enable-auto-tool-choice', '--tool-call-parser', 'hermes', '--max-model-len', '4096'],
      env: { POD_NAME: 'vllm-chat-0' },
    }),
    startSim({ args: ['BAAI/bge-m3', '--served-model-name', 'bge'] }),
  ]);
  client = new OpenAI({ baseURL: `${sim.url}/v1`, apiKey: 'none', maxRetries: 0 });
});

afterAll(async () => {
  await Promise.all([sim?.stop(), embedder?.stop()]);
});

describe('chat', () => {
  test('answers with usage, and says which pod did', async () => {
    const { data, response } = await client.chat.completions
      .create({ model: MODEL, messages })
      .withResponse();
    expect(response.headers.get('x-vllm-sim-pod')).toBe('vllm-chat-0');
    expect(data.choices[0]?.message.content).toMatch(/^[A-Z][a-z ]+/);
    expect(data.choices[0]?.finish_reason).toBe('stop');
    expect(data.usage?.total_tokens).toBe(
      (data.usage?.prompt_tokens ?? 0) + (data.usage?.completion_tokens ?? 0),
    );
  });

  test('repeats itself when greedy or seeded, and not otherwise', async () => {
    const ask = async (fields: object): Promise<string | null | undefined> =>
      (await client.chat.completions.create({ model: MODEL, messages, max_tokens: 20, ...fields })).choices[0]
        ?.message.content;
    expect(await ask({ temperature: 0 })).toBe(await ask({ temperature: 0 }));
    expect(await ask({ seed: 3 })).toBe(await ask({ seed: 3 }));
    expect(await ask({ seed: 3 })).not.toBe(await ask({ seed: 4 }));
    expect(await ask({})).not.toBe(await ask({}));
  });

  test('streams the same text as it answers in one piece, with usage at the end', async () => {
    const request = { model: MODEL, messages, seed: 11, max_completion_tokens: 25 };
    const whole = await client.chat.completions.create(request);
    const stream = await client.chat.completions.create({
      ...request,
      stream: true,
      stream_options: { include_usage: true },
    });
    const chunks = [];
    for await (const chunk of stream) {
      chunks.push(chunk);
    }
    expect(chunks[0]?.choices[0]?.delta).toEqual({ role: 'assistant', content: '' });
    expect(chunks.map((c) => c.choices[0]?.delta.content ?? '').join('')).toBe(
      whole.choices[0]?.message.content,
    );
    expect(chunks.at(-2)?.choices[0]?.finish_reason).toBe(whole.choices[0]?.finish_reason);
    expect(chunks.at(-1)).toMatchObject({
      choices: [],
      usage: { completion_tokens: whole.usage?.completion_tokens },
    });
  });

  test('gives n choices, stops at stop strings, and has log probabilities', async () => {
    const many = await client.chat.completions.create({
      model: MODEL,
      messages,
      n: 3,
      seed: 1,
      max_tokens: 8,
      logprobs: true,
      top_logprobs: 2,
    });
    expect(new Set(many.choices.map((c) => c.message.content)).size).toBe(3);
    expect(many.usage?.completion_tokens).toBe(24);
    expect(many.choices[0]?.logprobs?.content).toHaveLength(8);
    expect(many.choices[0]?.logprobs?.content?.[0]?.top_logprobs).toHaveLength(2);
    const full = many.choices[1]?.message.content ?? '';
    const word = full.split(' ')[2] ?? '';
    const stopped = await client.chat.completions.create({
      model: MODEL,
      messages,
      n: 3,
      seed: 1,
      max_tokens: 8,
      stop: [word],
    });
    expect(stopped.choices[1]?.message.content).toBe(full.slice(0, full.indexOf(word)));
    expect(stopped.choices[1]).toMatchObject({ finish_reason: 'stop', stop_reason: word });
  });

  test('calls tools, in one piece and as a stream, and answers once it has the result', async () => {
    const call = await client.chat.completions.create({ model: MODEL, messages, tools });
    const tool = call.choices[0]?.message.tool_calls?.[0];
    expect(call.choices[0]?.finish_reason).toBe('tool_calls');
    expect(tool).toMatchObject({ type: 'function', function: { name: 'get_weather' } });
    const runner = client.chat.completions.stream({ model: MODEL, messages, tools });
    const streamed = (await runner.finalChatCompletion()).choices[0]?.message.tool_calls?.[0];
    const args: unknown = JSON.parse(streamed?.type === 'function' ? streamed.function.arguments : '');
    expect(args).toMatchObject({ city: 'value', unit: 'c', days: expect.any(Number) });
    const after = await client.chat.completions.create({
      model: MODEL,
      tools,
      messages: [
        ...messages,
        { role: 'assistant', tool_calls: call.choices[0]?.message.tool_calls ?? [] },
        { role: 'tool', tool_call_id: tool?.id ?? '', content: 'sunny' },
      ],
    });
    expect(after.choices[0]?.finish_reason).toBe('stop');
    const named = await client.chat.completions.create({
      model: MODEL,
      messages,
      tools,
      tool_choice: { type: 'function', function: { name: 'get_weather' } },
    });
    expect(named.choices[0]).toMatchObject({ finish_reason: 'stop', message: { content: '' } });
  });

  test('ends the generation when the client goes away', async () => {
    const stream = await client.chat.completions.create({
      model: MODEL,
      messages,
      max_tokens: 4000,
      stream: true,
      ignore_eos: true,
    } as OpenAI.ChatCompletionCreateParamsStreaming);
    for await (const chunk of stream) {
      expect(chunk.object).toBe('chat.completion.chunk');
      stream.controller.abort();
      break;
    }
    const state = async (): Promise<string> => (await fetch(`${sim.url}/metrics`)).text();
    await expect
      .poll(async () => /request_success_total\{[^}]*finished_reason="abort"\} 1\.0/.test(await state()))
      .toBeTruthy();
    expect(await state()).toMatch(/num_requests_running\{[^}]*\} 0\.0/);
  });

  test('errs as vLLM does', async () => {
    await expect(client.chat.completions.create({ model: 'nope', messages })).rejects.toMatchObject({
      status: 404,
      error: {
        message: 'The model `nope` does not exist.',
        type: 'NotFoundError',
        param: 'model',
        code: 404,
      },
    });
    await expect(
      client.chat.completions.create({ model: MODEL, messages, max_tokens: 4090 }),
    ).rejects.toMatchObject({
      status: 400,
      type: 'BadRequestError',
      param: 'input_tokens',
      message: expect.stringContaining("This model's maximum context length is 4096 tokens."),
    });
    await expect(
      client.chat.completions.create({ model: MODEL, messages, temperature: -1 }),
    ).rejects.toMatchObject({ status: 400 });
  });
});

describe('other endpoints', () => {
  test('lists the model', async () => {
    const page = await client.models.list();
    expect(page.data).toMatchObject([
      { id: MODEL, object: 'model', owned_by: 'vllm', root: MODEL, max_model_len: 4096 },
    ]);
  });

  test('completes text, also several at once', async () => {
    const completion = await client.completions.create({
      model: MODEL,
      prompt: ['Once', 'Twice'],
      max_tokens: 6,
      seed: 2,
    });
    expect(completion.choices.map(({ index, finish_reason }) => [index, finish_reason])).toEqual([
      [0, 'length'],
      [1, 'length'],
    ]);
    const stream = await client.completions.create({
      model: MODEL,
      prompt: 'Once',
      max_tokens: 6,
      seed: 2,
      stream: true,
    });
    let text = '';
    for await (const chunk of stream) {
      text += chunk.choices[0]?.text ?? '';
    }
    expect(text).toBe(completion.choices[0]?.text);
  });

  test('answers by the responses API', async () => {
    const request = { model: MODEL, input: 'Hello', temperature: 0, max_output_tokens: 12 };
    const whole = await client.responses.create(request);
    expect(whole.output_text).not.toBe('');
    const stream = await client.responses.create({ ...request, stream: true });
    let text = '';
    let last = '';
    for await (const event of stream) {
      text += event.type === 'response.output_text.delta' ? event.delta : '';
      last = event.type;
    }
    expect([text, last]).toEqual([whole.output_text, 'response.completed']);
  });

  test('embeds with an embedding model only', async () => {
    const embed = new OpenAI({ baseURL: `${embedder.url}/v1`, apiKey: 'none', maxRetries: 0 });
    const result = await embed.embeddings.create({ model: 'bge', input: ['a cat', 'a dog', 'a cat'] });
    const floats = await embed.embeddings.create({ model: 'bge', input: 'a cat', encoding_format: 'float' });
    const [cat = [], dog = [], again = []] = result.data.map(({ embedding }) => embedding);
    expect(cat).toHaveLength(384);
    expect(Math.hypot(...cat)).toBeCloseTo(1, 5);
    expect(again).toEqual(cat);
    expect(dog).not.toEqual(cat);
    floats.data[0]?.embedding.forEach((value, i) => {
      expect(value).toBeCloseTo(cat[i] ?? 0, 5);
    });
    await expect(client.embeddings.create({ model: MODEL, input: 'x' })).rejects.toMatchObject({
      status: 404,
    });
    await expect(embed.chat.completions.create({ model: 'bge', messages })).rejects.toMatchObject({
      status: 404,
    });
  });
});
