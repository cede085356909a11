import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { model, table } from '../../support/route-table.ts';
import { type Engine, startEngine } from './support/engine.ts';
import { type Router, startRouter } from './support/router.ts';
import { openStream } from './support/stream.ts';

describe('prefix affinity', () => {
  let router: Router;
  let engines: Engine[];
  const routes = (list: Engine[]) =>
    table(
      [
        model(
          'm',
          list.map(({ address }) => address),
        ),
      ],
      { loadBalancing: 'PrefixAffinity' },
    );

  beforeAll(async () => {
    // Neighbours at one port, as pods of a node are: a checksum in place of a hash gives one of these a tenth of the load.
    const hosts = ['127.70.0.96', '127.70.0.97', '127.70.0.98', '127.70.0.99'];
    engines = await Promise.all(hosts.map(async (host) => await startEngine({ host, port: 8000 })));
    router = await startRouter({ table: routes(engines) });
  });
  afterAll(async () => {
    await router.close();
    await Promise.all(engines.map(async (engine) => await engine.close()));
  });

  /** Index of the engine that gets a body. */
  const target = async (body: object, path = '/v1/chat/completions') => {
    // An answer reaches its client a little before it counts as over, and until then its engine has more than the others.
    await expect.poll(async () => (await router.demand()).models['uid-m']?.inFlight ?? 0).toBe(0);
    const before = engines.map(({ requests }) => requests.length);
    await (
      await fetch(router.url + path, { method: 'POST', body: JSON.stringify({ model: 'm', ...body }) })
    ).text();
    return engines.findIndex(({ requests }, i) => requests.length > (before[i] ?? 0));
  };
  const system = { role: 'system', content: `Be kind. ${'Rules. '.repeat(1000)}` };

  test('the turns of a conversation go to one engine, which has them cached', async () => {
    for (let i = 0; i < 10; i += 1) {
      const messages: object[] = [system, { role: 'user', content: `Question ${i}` }];
      const first = await target({ messages });
      for (let turn = 0; turn < 4; turn += 1) {
        messages.push(
          { role: 'assistant', content: 'An answer with "quotes".' },
          { role: 'user', content: `And ${turn}?` },
        );
        expect(await target({ messages, max_tokens: turn })).toBe(first);
      }
    }
  });

  test('conversations that begin alike but differ are spread', async () => {
    const targets = new Map<number, number>();
    for (let i = 0; i < 300; i += 1) {
      const engine = await target({ messages: [system, { role: 'user', content: `Tell me about ${i}` }] });
      targets.set(engine, (targets.get(engine) ?? 0) + 1);
    }
    expect(targets.size).toBe(4);
    for (const count of targets.values()) expect(count).toBeGreaterThan(50);
  });

  test('prompts and inputs count by their beginning', async () => {
    const prompt = 'Once upon a time '.repeat(100);
    const first = await target({ prompt: `${prompt}a` }, '/v1/completions');
    expect(await target({ prompt: `${prompt}b` }, '/v1/completions')).toBe(first);
    const input = [{ role: 'user', content: 'Hi' }];
    const second = await target({ input }, '/v1/responses');
    expect(
      await target({ input: [...input, { role: 'assistant', content: 'Hello' }] }, '/v1/responses'),
    ).toBe(second);
  });

  test('a value that is no JSON is read no further than it goes', async () => {
    const values = [
      'x"user"',
      'x"user"          ',
      `x"user"${' '.repeat(5000)}`,
      '["user"]',
      '["user"}',
      '{"user"   ]',
    ];
    for (const value of values) {
      for (const name of ['messages', 'prompt', 'input']) {
        const body = `{"model":"m","${name}":${value},"stream":false}`;
        const response = await fetch(`${router.url}/v1/chat/completions`, { method: 'POST', body });
        expect([value, response.status]).toEqual([value, 200]);
        await response.text();
      }
    }
    expect(router.errors()).toBe('');
  });

  test('no engine gets much more than its share, even of one conversation', async () => {
    const body = { model: 'm', messages: [{ role: 'user', content: 'the same for all' }] };
    const streams = [];
    for (let i = 0; i < 80; i += 1) streams.push(await openStream(router.url, body));
    const counts = engines.map(({ streams: open }) => open.size);
    expect(Math.max(...counts)).toBeLessThanOrEqual(Math.ceil(1.25 * 20) + 1);
    expect(Math.min(...counts)).toBeGreaterThan(0);
    for (const engine of engines) engine.finish();
    await Promise.all(streams.map(async (stream) => await stream.ended));
  });

  test('when an engine goes, only its conversations move', async () => {
    const conversations = Array.from({ length: 40 }, (_, i) => ({
      messages: [{ role: 'user', content: `Topic ${i}` }],
    }));
    const before: number[] = [];
    for (const body of conversations) before.push(await target(body));
    await router.put(routes(engines.slice(0, 3)));
    for (const [i, body] of conversations.entries()) {
      const now = await target(body);
      if (before[i] !== 3) expect(now).toBe(before[i]);
      else expect(now).toBeLessThan(3);
    }
    await router.put(routes(engines));
  });
});
