import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { ApiKeyKeeper } from '../../../operator/controllers/api-key-keeper.ts';
import type { RouteTable } from '../../../operator/router/route-table.ts';
import { aPool } from './fixtures.ts';
import { aState, put } from './support.ts';

const hash = (text: string) => createHash('sha256').update(text).digest('hex');

function setUp() {
  const state = aState();
  const keeper = new ApiKeyKeeper(state);
  const pool = aPool({ router: { auth: { mode: 'APIKey' } }, allowedNamespaces: { from: 'All' } });
  const keysOf = (namespace: string, data: Record<string, string>) =>
    put(state.apiKeys.store, {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { namespace, name: 'keys' },
      data,
    });
  return { state, keeper, pool, keysOf };
}

it('gives the same keys, as the same list, until something changes that they depend on', () => {
  const { state, keeper, pool, keysOf } = setUp();
  keysOf('team-a', { ci: `sha256: ${hash('a')}` });
  const { keys } = keeper.of(pool, undefined);
  expect(keys).toEqual([{ sha256: hash('a'), tenant: 'team-a' }]);
  expect(keeper.of({ ...pool, status: {} } as typeof pool, { keys } as RouteTable).keys).toBe(keys);

  keysOf('team-a', { ci: `sha256: ${hash('b')}` });
  expect(keeper.of(pool, undefined).keys).toEqual([{ sha256: hash('b'), tenant: 'team-a' }]);

  const open = aPool({ router: { auth: { mode: 'None' } } }, { generation: 2 });
  expect(keeper.of(open, undefined).keys).toEqual([]);

  const own = { router: { auth: { mode: 'APIKey' } }, allowedNamespaces: { from: 'Same' } };
  expect(keeper.of(aPool(own, { generation: 3 }), undefined).keys).toEqual([]);

  const selector = { from: 'Selector', selector: { matchLabels: { team: 'yes' } } };
  const some = aPool({ ...own, allowedNamespaces: selector }, { generation: 4 });
  expect(keeper.of(some, undefined).keys).toEqual([]);
  put(state.namespaces.store, {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: 'team-a', labels: { team: 'yes' } },
  });
  expect(keeper.of(some, undefined).keys).toHaveLength(1);
});
