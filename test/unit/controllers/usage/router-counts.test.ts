import { expect, it } from 'vitest';
import { RouterCounts } from '../../../../operator/controllers/usage/router-counts.ts';
import { parseApiKeyEntry } from '../../../../operator/router/api-key-entry.ts';
import { setUpRecording } from './support/recording.ts';

const { signal } = new AbortController();

it('counts every tenant that a key may have by its name, and no other', async () => {
  const { state, pool } = setUpRecording();
  const tenants = ['team', 'team/ci', 'team/CI_1.Nightly-2'];
  for (const tenant of tenants) {
    const text = JSON.stringify({ sha256: 'a'.repeat(64), tenant });
    expect(parseApiKeyEntry(text, 'team', 'key')).toMatchObject({ tenant });
  }
  const said = [...tenants, 'team/<b>', 'Team', 'team/', '(other)', `team/${'x'.repeat(200)}`];
  const counts = new RouterCounts({
    state,
    usageOf: async () => [
      {
        router: 'r',
        report: {
          id: 1,
          counts: { 'uid-chat': Object.fromEntries(said.map((name) => [name, [1, 2, 3, 0, 0, 5]])) },
        },
      },
    ],
  });
  const [batch] = (await counts.fetch(pool, signal)).get('platform') ?? [];
  expect(batch?.counts.map(({ tenant }) => tenant)).toEqual([
    ...tenants,
    ...said.slice(tenants.length).map(() => '(other)'),
  ]);
});
