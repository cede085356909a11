import { afterEach, describe, expect, test, vi } from 'vitest';
import { PATIENCE } from '../../support/patience.ts';
import { model, table } from '../../support/route-table.ts';
import { type Engine, startEngine } from './support/engine.ts';
import { type Router, startRouter } from './support/router.ts';
import { runInNginx } from './support/run-in-nginx.ts';
import { openStream } from './support/stream.ts';

const CHUNK =
  'data: {"id":"1","choices":[{"delta":{"content":"a \\"usage\\" of \\"choices\\":[] words"}}]}\n\n';
const USAGE =
  'data: {"id":"1","choices":[],"usage":{"prompt_tokens":7,"total_tokens":12,"completion_tokens":5}}\n\n';
const DONE = 'data: [DONE]\n\n';

describe('token accounts of streams', () => {
  const cleanup: { close(): Promise<void> }[] = [];
  afterEach(async () => {
    await Promise.all(cleanup.splice(0).map(async (item) => await item.close()));
  });
  const setUp = async (parts: string[]): Promise<{ engine: Engine; router: Router }> => {
    const engine = await startEngine();
    engine.answer = (_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      const send = (i: number) => {
        const part = parts[i];
        if (part === undefined) response.end();
        else response.write(part, () => setTimeout(send, 5, i + 1));
      };
      send(0);
    };
    const router = await startRouter({ table: table([model('m', [engine.address])]) });
    cleanup.push(engine, router);
    return { engine, router };
  };
  const counted = async (router: Router) =>
    await vi.waitFor(async () => {
      const text = await router.metrics();
      expect(text).toContain('kind="prompt"} 7\n');
      expect(text).toContain('kind="completion"} 5\n');
      expect(text).toContain('token_seconds_count{model="m",namespace="team-a"} 1\n');
    }, PATIENCE);
  const asked = (engine: Engine) =>
    JSON.parse(engine.requests[0]?.body.toString() ?? '') as Record<string, unknown>;

  test.each([
    ['as one', [CHUNK, USAGE + DONE]],
    ['event by event', [CHUNK, CHUNK, USAGE, DONE]],
    ['cut anywhere', [...(`${CHUNK}${USAGE}${DONE}`.match(/[\s\S]{1,17}/g) ?? [])]],
  ])(
    'the usage that the client did not ask for is asked for, counted and taken out (%s)',
    async (_, parts) => {
      const { engine, router } = await setUp(parts);
      const stream = await openStream(router.url, { model: 'm' });
      expect(await stream.ended).toBe('complete');
      expect(asked(engine)).toEqual({ stream: true, model: 'm', stream_options: { include_usage: true } });
      expect(stream.text()).toBe(parts.join('').replace(USAGE, ''));
      await counted(router);
    },
  );

  const FINISH = 'data: {"id":"1","choices":[{"delta":{},"finish_reason":"length"}]}\n\n';
  const FINGERPRINT = ',"system_fingerprint":"vllm-0.32.0-tp1-0f3a"';
  const signed = (event: string) => event.replace('}\n\n', `${FINGERPRINT}}\n\n`);

  test.each([
    ['as one', (text: string) => [text]],
    ['event by event', (text: string) => text.split(/(?<=\n\n)/)],
    ['cut anywhere', (text: string) => text.match(/[\s\S]{1,17}/g) ?? []],
  ])(
    'the fingerprint, which vLLM puts into the last event, is that of the last event that is left (%s)',
    async (_, cut) => {
      const { router } = await setUp(cut(CHUNK + FINISH + CHUNK + FINISH + signed(USAGE) + DONE));
      const stream = await openStream(router.url, { model: 'm' });
      expect(await stream.ended).toBe('complete');
      expect(stream.text()).toBe(CHUNK + FINISH + CHUNK + signed(FINISH) + DONE);
      await counted(router);
    },
  );

  test.each([
    ['has no fingerprint behind it', [CHUNK, FINISH, USAGE, DONE], CHUNK + FINISH + DONE],
    ['has one of its own', [signed(FINISH), signed(USAGE), DONE], signed(FINISH) + DONE],
    ['is the last of all', [CHUNK, FINISH], CHUNK + FINISH],
    [
      'is before an event that is too long to be held back',
      [FINISH, `data: ${'x'.repeat(70_000)}`, `\n\n${DONE}`],
      `${FINISH}data: ${'x'.repeat(70_000)}\n\n${DONE}`,
    ],
  ])('an event with a finish reason is passed on where it %s', async (_, parts, expected) => {
    const { router } = await setUp(parts);
    const stream = await openStream(router.url, { model: 'm' });
    await stream.ended;
    expect(stream.text()).toBe(expected);
  });

  test('a client that asks gets it, and its body is left alone', async () => {
    const { engine, router } = await setUp([CHUNK, USAGE, DONE]);
    const stream = await openStream(router.url, { model: 'm', stream_options: { include_usage: true } });
    await stream.ended;
    expect(stream.text()).toBe(CHUNK + USAGE + DONE);
    expect(asked(engine)).toEqual({ stream: true, model: 'm', stream_options: { include_usage: true } });
    await counted(router);
  });

  test.each([
    [
      'numbers and lists',
      '{"large":12345678901234567890, "empty":[]}',
      '{"include_usage":true,"large":12345678901234567890, "empty":[]}',
    ],
    ['a number that is false', '{"include_usage":0 ,"a":[{}]}', '{"include_usage":true ,"a":[{}]}'],
    [
      'the last of two',
      '{"include_usage":true,"include_usage":false}',
      '{"include_usage":true,"include_usage":true}',
    ],
    ['a text that is true', '{"include_usage":"yes","empty":[]}', '{"include_usage":"yes","empty":[]}'],
    ['too many members', `{${'"a":1,'.repeat(600)}"b":1}`, `{${'"a":1,'.repeat(600)}"b":1}`],
  ])('nothing else of stream_options changes: %s', async (_, before, after) => {
    const { engine, router } = await setUp([CHUNK, DONE]);
    const answer = await fetch(`${router.url}/v1/chat/completions`, {
      method: 'POST',
      body: `{"model":"m","stream":true,"stream_options":${before}}`,
    });
    await answer.text();
    expect(engine.requests[0]?.body.toString()).toBe(`{"model":"m","stream":true,"stream_options":${after}}`);
  });

  test.each([
    [
      { include_usage: false, continuous_usage_stats: false },
      { include_usage: true, continuous_usage_stats: false },
    ],
    [null, { include_usage: true }],
    [{}, { include_usage: true }],
    ['wrong', 'wrong'],
  ])('stream_options %j become %j', async (before, after) => {
    const { engine, router } = await setUp([CHUNK, DONE]);
    await (await openStream(router.url, { model: 'm', stream_options: before })).ended;
    expect(asked(engine).stream_options).toEqual(after);
  });
});

test('numbers of usage are read as JSON has them, without what is none', async () => {
  expect((await runInNginx('usage-numbers.lua')).trimEnd().split('\n')).toEqual([
    '7 5',
    '7 5',
    '7 5',
    '1000000000 0',
    'nil nil',
    '7 5',
    '7 5',
    '7 nil',
  ]);
});
