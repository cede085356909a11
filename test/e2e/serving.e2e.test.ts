import { readFileSync } from 'node:fs';
import OpenAI, { APIError } from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findCondition } from '../../operator/kube/conditions.ts';
import { ask, stream } from './support/traffic.ts';
import { World } from './support/world.ts';

const QUICKSTART = new URL('../../examples/quickstart.yaml', import.meta.url).pathname;

let world: World;
let client: OpenAI;

beforeAll(async () => {
  world = await World.start();
  await world.kubectl('apply', '-f', QUICKSTART);
  await world.kubectl('wait', '--for=condition=Ready', 'vpool,vmodel', '--all', '-A', '--timeout=60s');
  await world.modelReady('team-a', 'qwen-0-5b');
  await world.modelReady('team-b', 'qwen-7b');
  await world.poolReady('platform', 'shared');
  client = await world.openai('platform', 'shared');
});
afterAll(() => world?.close());

/** The error that the client library makes of an answer. */
async function errorOf(answer: Promise<unknown>): Promise<APIError> {
  return await answer.then(
    () => Promise.reject(new Error('it was answered')),
    (error: unknown) => (error instanceof APIError ? error : Promise.reject(error)),
  );
}

describe('the quickstart answers OpenAI requests', () => {
  it('lists the names of both teams’ models', async () => {
    const models = await client.models.list();

    expect(models.data.map(({ id, object, owned_by }) => [id, object, owned_by]).sort()).toEqual([
      ['Qwen/Qwen2.5-7B-Instruct', 'model', 'team-b'],
      ['qwen-0-5b', 'model', 'team-a'],
      ['qwen-7b', 'model', 'team-b'],
    ]);
    expect(await client.models.retrieve('qwen-7b')).toMatchObject({ id: 'qwen-7b', root: 'qwen-7b' });
  });

  it.each([
    ['qwen-0-5b', 'qwen-0-5b'],
    ['qwen-7b', 'qwen-7b'],
    // vLLM answers in the first of a model's names.
    ['Qwen/Qwen2.5-7B-Instruct', 'qwen-7b'],
  ])('chats with %s', async (model, answeredAs) => {
    const answer = await client.chat.completions.create({
      model,
      messages: [{ role: 'user', content: 'Say hello.' }],
      max_tokens: 5,
      ...{ ignore_eos: true },
    });

    expect(answer).toMatchObject({
      object: 'chat.completion',
      model: answeredAs,
      choices: [
        { finish_reason: 'length', message: { role: 'assistant', content: expect.stringMatching(/\w/) } },
      ],
      usage: { completion_tokens: 5 },
    });
  });

  it('sends each name to its own model’s engine', async () => {
    expect(await ask(client, 'qwen-0-5b')).toMatch(/^vllm-qwen-0-5b-/);
    expect(await ask(client, 'qwen-7b')).toMatch(/^vllm-qwen-7b-/);
    expect(await ask(client, 'Qwen/Qwen2.5-7B-Instruct')).toMatch(/^vllm-qwen-7b-/);
  });

  it('streams token by token', async () => {
    let first = 0;
    const began = performance.now();
    const outcome = await stream(client, 'qwen-0-5b', {
      tokens: 2000,
      onChunk: () => {
        first ||= performance.now() - began;
      },
    });

    expect(outcome).toMatchObject({ chunks: 2000, finishReason: 'length' });
    // Whole answers that come at their end would have both at the same time.
    expect(first).toBeLessThan((performance.now() - began) / 2);
  });

  it('ends a stream with its usage when asked to', async () => {
    const parts = await client.chat.completions.create({
      model: 'qwen-7b',
      messages: [{ role: 'user', content: 'Count.' }],
      max_tokens: 3,
      stream: true,
      stream_options: { include_usage: true },
      ...{ ignore_eos: true },
    });
    const usages: unknown[] = [];
    for await (const part of parts) if (part.usage) usages.push(part.usage);

    expect(usages).toEqual([expect.objectContaining({ completion_tokens: 3 })]);
  });

  it('calls tools', async () => {
    const answer = await client.chat.completions.create({
      model: 'qwen-7b',
      messages: [{ role: 'user', content: 'What is the weather in Paris?' }],
      tools: [
        {
          type: 'function',
          function: {
            name: 'weather',
            parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
          },
        },
      ],
    });

    expect(answer.choices[0]).toMatchObject({
      finish_reason: 'tool_calls',
      message: { tool_calls: [{ type: 'function', function: { name: 'weather' } }] },
    });
  });

  it('completes text', async () => {
    const answer = await client.completions.create({
      model: 'qwen-0-5b',
      prompt: 'Once upon a time',
      max_tokens: 4,
      ...{ ignore_eos: true },
    });

    expect(answer).toMatchObject({ object: 'text_completion', usage: { completion_tokens: 4 } });
  });
});

describe('errors are OpenAI’s', () => {
  it('an unknown model', async () => {
    const error = await errorOf(ask(client, 'gpt-4'));

    expect(error).toBeInstanceOf(OpenAI.NotFoundError);
    expect(error.error).toMatchObject({ message: 'The model `gpt-4` does not exist.', param: 'model' });
  });

  it('embeddings of a model that generates', async () => {
    const error = await errorOf(client.embeddings.create({ model: 'qwen-0-5b', input: 'text' }));

    expect(error.status).toBe(404);
  });

  it('what the engine refuses, in the engine’s words', async () => {
    const error = await errorOf(
      client.chat.completions.create({
        model: 'qwen-0-5b',
        messages: [{ role: 'user', content: 'hi' }],
        max_tokens: 1_000_000,
      }),
    );

    expect(error).toBeInstanceOf(OpenAI.BadRequestError);
    expect(error.message).toContain('max_model_len');
    expect(error.message).toContain('8192');
  });

  it('a body that is not JSON', async () => {
    const answer = await fetch(`${client.baseURL}/chat/completions`, { method: 'POST', body: 'hello' });

    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({ error: { type: 'BadRequestError', code: 400 } });
  });

  it('a path that is not there', async () => {
    const answer = await fetch(`${client.baseURL}/nothing`, { method: 'POST', body: '{}' });

    expect(answer.status).toBe(404);
    expect(await answer.json()).toMatchObject({ error: { code: 404 } });
  });
});

describe('kubectl shows', () => {
  it('the status of each model', async () => {
    const model = await world.modelReady('team-b', 'qwen-7b');

    expect(model.status).toMatchObject({
      state: 'Serving',
      replicas: 1,
      readyReplicas: 1,
      desiredReplicas: 1,
      accelerators: 1,
      url: 'http://shared-router.platform.svc/v1',
      selector: expect.stringContaining('vllm-operator.dev/model=qwen-7b'),
      plan: {
        weightsGiB: expect.stringMatching(/^\d+\.\d$/),
        kvCacheGiB: expect.stringMatching(/^\d+\.\d$/),
        kvCacheTokens: expect.any(Number),
      },
    });
    expect(model.status?.conditions?.map(({ type, status }) => `${type}=${status}`)).toEqual([
      'Ready=True',
      'Available=True',
      'Accepted=True',
      'MemoryFit=True',
      'ScalingReady=True',
      'CacheReady=True',
      'Reconciling=False',
      'Stalled=False',
    ]);
  });

  it('the status of the pool', async () => {
    const pool = await world.poolReady('platform', 'shared');

    expect(pool.status).toMatchObject({
      models: 2,
      accelerators: 2,
      routerReplicas: 2,
      readyRouterReplicas: 2,
      url: 'http://shared-router.platform.svc/v1',
    });
    expect(findCondition(pool.status?.conditions, 'RouterReady')?.status).toBe('True');
    expect(findCondition(pool.status?.conditions, 'CacheReady')?.status).toBe('True');
  });

  it('the columns that people look for', async () => {
    const models = (await world.kubectl('get', 'vmodel', '-A')).trim().split('\n');
    const pools = (await world.kubectl('get', 'vpool', '-n', 'platform')).trim().split('\n');

    expect(models[0]?.split(/\s{2,}/)).toEqual([
      'NAMESPACE',
      'NAME',
      'POOL',
      'STATE',
      'READY',
      'DESIRED',
      'ACCELERATORS',
      'REASON',
      'AGE',
    ]);
    expect(models[1]?.split(/\s+/).slice(0, 8)).toEqual([
      'team-a',
      'qwen-0-5b',
      'shared',
      'Serving',
      '1',
      '1',
      '1',
      'EnginesReady',
    ]);
    expect(pools[0]).toMatch(/^NAME .*ACCELERATOR .*MODELS .*ROUTERS .*URL .*READY .*AGE/);
    expect(pools[1]).toMatch(/^shared +L4 +2 +2 .*http:\/\/shared-router\.platform\.svc\/v1 +True/);
  });

  it('why a model is ready in its description, with events', async () => {
    const text = await world.kubectl('describe', 'vmodel', 'qwen-0-5b', '-n', 'team-a');

    expect(text).toContain('all engines are ready');
    expect(text).toMatch(/Normal +EnginesReady/);
  });

  it('the log of an engine', async () => {
    const log = await world.kubectl('logs', '-n', 'team-a', 'deploy/vllm-qwen-0-5b');

    expect(log).toContain('Qwen/Qwen2.5-0.5B-Instruct');
  });

  it('the settings of the files in the engine’s arguments', async () => {
    const text = await world.kubectl('get', 'deploy', 'vllm-qwen-7b', '-n', 'team-b', '-o', 'json');
    const [container] = JSON.parse(text).spec.template.spec.containers;

    expect(readFileSync(QUICKSTART, 'utf8')).toContain('maxModelLen: 8192');
    expect(container.args).toEqual(
      expect.arrayContaining([
        '--max-model-len=8192',
        '--block-size=16',
        '--max-num-seqs=32',
        '--tool-call-parser=hermes',
      ]),
    );
    expect(container.resources.limits).toMatchObject({ 'nvidia.com/gpu': '1' });
  });
});

it('the operator had nothing to complain about', async () => {
  expect(await world.errors()).toEqual([]);
});
