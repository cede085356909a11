import OpenAI from 'openai';
import { describe, expect, test } from 'vitest';
import { model, table } from '../../support/route-table.ts';
import { perTest } from './support/per-test.ts';

describe('stored responses', () => {
  const { engine, start } = perTest();
  const setUp = async (more = {}) => {
    const engines = [await engine(), await engine()];
    const asleep = model('asleep', []);
    const router = await start({
      table: table(
        [
          model(
            'm',
            engines.map(({ address }) => address),
          ),
          asleep,
        ],
        more,
      ),
    });
    const client = new OpenAI({ baseURL: `${router.url}/v1`, apiKey: 'none', maxRetries: 2 });
    return { engines, router, client };
  };

  test('retrieve, cancel, delete and items of a response are rejected and reach no engine', async () => {
    const { engines, client } = await setUp();
    const { responses } = client;
    for (const attempt of [
      async () => await responses.retrieve('resp_1'),
      async () => await responses.cancel('resp_1'),
      async () => await responses.delete('resp_1'),
      async () => await responses.inputItems.list('resp_1'),
      async () => await responses.retrieve('resp.1~x', undefined, { query: { model: 'm' } }),
    ]) {
      const error: unknown = await attempt().catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(OpenAI.NotFoundError);
      expect(String(error)).toContain('does not serve stored responses');
    }
    expect(engines.flatMap(({ requests }) => requests)).toEqual([]);
  });

  test.each([
    ['previous_response_id', 'resp_1'],
    ['background', true],
    ['background', 'true'],
    ['background', 1],
  ])('%s: %j is refused before anything is woken', async (name, value) => {
    const { router } = await setUp();
    const response = await fetch(`${router.url}/v1/responses`, {
      method: 'POST',
      body: JSON.stringify({ model: 'asleep', input: 'Hi', [name]: value }),
    });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({
      error: { param: name, message: expect.stringContaining('does not serve stored responses') },
    });
    expect((await router.demand()).models['uid-asleep']).toBeUndefined();
  });

  test('requests that need nothing stored pass, whatever they say of storing', async () => {
    const { engines, router } = await setUp();
    for (const extra of [
      { store: true },
      { previous_response_id: null },
      { background: false },
      { background: null },
    ]) {
      const response = await fetch(`${router.url}/v1/responses`, {
        method: 'POST',
        body: JSON.stringify({ model: 'm', input: 'Hi', ...extra }),
      });
      expect(response.status).toBe(200);
    }
    expect(engines.flatMap(({ requests }) => requests).length).toBe(4);
  });

  test('without a key nothing is said of them', async () => {
    const { router } = await setUp({ auth: 'APIKey' });
    expect((await fetch(`${router.url}/v1/responses/resp_1`)).status).toBe(401);
  });
});
