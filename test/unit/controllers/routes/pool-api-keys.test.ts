import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { GrantLedger } from '../../../../operator/controllers/acceptance/grant-ledger.ts';
import { RESERVATION_MS } from '../../../../operator/controllers/acceptance/reservations.ts';
import { PoolApiKeys } from '../../../../operator/controllers/routes/pool-api-keys.ts';
import type { KubeClient } from '../../../../operator/kube/client.ts';
import { FakeClock } from '../../kube/support/fake-clock.ts';
import { aPool } from '../fixtures.ts';
import { aGrantStore, aState, put } from '../support.ts';

const hash = (text: string) => createHash('sha256').update(text).digest('hex');

function setUp() {
  const state = aState();
  const ledger = new GrantLedger(aGrantStore() as unknown as KubeClient, state.pools.store);
  const clock = new FakeClock();
  const apiKeys = new PoolApiKeys({ state, ledger, clock });
  const pool = aPool({ router: { auth: { mode: 'APIKey' } }, allowedNamespaces: { from: 'All' } });
  put(state.pools.store, pool);
  const keysOf = (namespace: string, data: Record<string, string>) =>
    put(state.apiKeys.store, {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { namespace, name: 'keys' },
      data,
    });
  return { state, apiKeys, pool, keysOf, clock };
}

it('gives the same keys, as the same list, until something changes that they depend on', () => {
  const { state, apiKeys, pool, keysOf } = setUp();
  keysOf('team-a', { ci: `sha256: ${hash('a')}` });
  const { keys } = apiKeys.of(pool);
  expect(keys).toEqual([{ sha256: hash('a'), tenant: 'team-a' }]);
  expect(apiKeys.of({ ...pool, status: {} } as typeof pool).keys).toBe(keys);

  keysOf('team-a', { ci: `sha256: ${hash('b')}` });
  expect(apiKeys.of(pool).keys).toEqual([{ sha256: hash('b'), tenant: 'team-a' }]);

  const open = aPool({ router: { auth: { mode: 'None' } } }, { generation: 2 });
  expect(apiKeys.of(open).keys).toEqual([]);

  const own = { router: { auth: { mode: 'APIKey' } }, allowedNamespaces: { from: 'Same' } };
  expect(apiKeys.of(aPool(own, { generation: 3 })).keys).toEqual([]);

  const selector = { from: 'Selector', selector: { matchLabels: { team: 'yes' } } };
  const some = aPool({ ...own, allowedNamespaces: selector }, { generation: 4 });
  expect(apiKeys.of(put(state.pools.store, some)).keys).toEqual([]);
  put(state.namespaces.store, {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: 'team-a', labels: { team: 'yes' } },
  });
  expect(apiKeys.of(some).keys).toHaveLength(1);
});

it('keeps the keys of pools whose admission a change of a namespace does not affect', () => {
  const { state, apiKeys, pool, keysOf } = setUp();
  const byLabel = { from: 'Selector', selector: { matchLabels: { team: 'yes' } } };
  const some = aPool(
    { router: { auth: { mode: 'APIKey' } }, allowedNamespaces: byLabel },
    { name: 'some', uid: 'some' },
  );
  put(state.pools.store, some);
  keysOf('team-a', { ci: `sha256: ${hash('a')}` });
  const label = (name: string, labels: Record<string, string>) =>
    put(state.namespaces.store, { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } });
  const before = [apiKeys.of(pool), apiKeys.of(some)];

  label('team-a', { team: 'no' });
  label('team-a', { team: 'no', cost: 'center' });
  expect([apiKeys.of(pool), apiKeys.of(some)].map((keys, i) => keys === before[i])).toEqual([true, true]);

  label('team-a', { team: 'yes' });
  expect(apiKeys.of(pool)).toBe(before[0]);
  expect(apiKeys.of(some).keys).toEqual([{ sha256: hash('a'), tenant: 'team-a' }]);

  state.namespaces.store.remove(label('team-a', { team: 'yes', cost: 'center' }));
  expect(apiKeys.of(pool)).toBe(before[0]);
  expect(apiKeys.of(some).keys).toEqual([]);
});

it('gives a key to its holder only, also after a time without keys, and to another once that has given it up', async () => {
  const { state, apiKeys, pool, keysOf, clock } = setUp();
  const owner = keysOf('team-b', { ci: `sha256: ${hash('a')}` });
  const tenants = (of = pool) => apiKeys.of(of).keys.map(({ tenant }) => tenant);
  expect(tenants()).toEqual(['team-b']);
  const open = aPool({ router: { auth: { mode: 'None' } } }, { generation: 2 });
  expect(tenants(open)).toEqual([]);
  keysOf('team-a', { stolen: `sha256: ${hash('a')}` });
  await clock.advance(RESERVATION_MS * 2);
  expect(tenants()).toEqual(['team-b']);
  state.apiKeys.store.remove(owner);
  expect(tenants()).toEqual([]);
  expect(apiKeys.changesInMs(pool)).toBe(RESERVATION_MS);
  await clock.advance(RESERVATION_MS);
  expect(tenants()).toEqual(['team-a']);
});
