/** An API key stays with the namespace that had it first (docs/adr/0013). */
import { expect, it } from 'vitest';
import type { InferencePool } from '../../../../operator/api/types.ts';
import { GrantLedger } from '../../../../operator/controllers/acceptance/grant-ledger.ts';
import { KeyHolders } from '../../../../operator/controllers/acceptance/key-holders.ts';
import { RESERVATION_MS } from '../../../../operator/controllers/acceptance/reservations.ts';
import type { KubeClient } from '../../../../operator/kube/client.ts';
import { Store } from '../../../../operator/kube/store.ts';
import { type ApiKeyConfigMap, parseApiKeys } from '../../../../operator/router/api-keys.ts';
import { FakeClock } from '../../kube/support/fake-clock.ts';
import { aPool } from '../fixtures.ts';
import { aGrantStore } from '../support.ts';

const HASH = 'a'.repeat(64);
const pool = aPool();

function claim(namespace: string, name = 'keys'): ApiKeyConfigMap {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { namespace, name },
    data: { ci: `sha256: ${HASH}` },
  };
}
const owner = claim('team-a');
const thief = claim('team-b');

function setUp(store = aGrantStore()) {
  const clock = new FakeClock();
  const pools = new Store<InferencePool>();
  pools.upsert(pool);
  const ledger = new GrantLedger(store as unknown as KubeClient, pools);
  const holders = new KeyHolders(ledger, clock);
  /** Tenants of the keys in force with these ConfigMaps, as a reconcile finds them. */
  const tenants = async (...configMaps: ApiKeyConfigMap[]) => {
    await ledger.load();
    const { keys } = parseApiKeys(configMaps, holders.of(pool));
    holders.settle(pool, keys);
    await ledger.saveAll(pool);
    return keys.filter((key) => holders.isSaved(pool, key)).map(({ tenant }) => tenant);
  };
  return { clock, store, ledger, holders, tenants };
}

it('stays with its owner while the ConfigMap is replaced, and becomes free some time after its deletion', async () => {
  const { clock, tenants, holders } = setUp();
  expect(await tenants(owner)).toEqual(['team-a']);
  expect(await tenants(owner, thief)).toEqual(['team-a']);
  expect(await tenants(thief)).toEqual([]);
  await clock.advance(RESERVATION_MS - 1);
  expect(await tenants(thief)).toEqual([]);
  expect(await tenants(owner, thief)).toEqual(['team-a']);
  expect(holders.changesInMs).toBeUndefined();
  expect(await tenants(thief)).toEqual([]);
  expect(holders.changesInMs).toBe(RESERVATION_MS);
  await clock.advance(RESERVATION_MS);
  await tenants(thief);
  expect(await tenants(thief)).toEqual(['team-b']);
});

it('may move from one ConfigMap of its namespace to another', async () => {
  const { tenants } = setUp();
  await tenants(owner, thief);
  expect(await tenants(owner)).toEqual(['team-a']);
  expect(await tenants(claim('team-a', 'moved'), thief)).toEqual(['team-a']);
});

it('stays with its owner when another leader takes over, and while the pool asks for no keys', async () => {
  const { tenants, store } = setUp();
  await tenants(owner);
  // auth None: nobody settles anything, for however long.
  const next = setUp(store);
  await next.clock.advance(RESERVATION_MS * 10);
  expect(await next.tenants(owner, thief)).toEqual(['team-a']);
});

it('is not in force before it is written who holds it', async () => {
  const { holders, ledger } = setUp();
  await ledger.load();
  const { keys } = parseApiKeys([owner], holders.of(pool));
  holders.settle(pool, keys);
  expect(keys.map((key) => holders.isSaved(pool, key))).toEqual([false]);
  await ledger.saveAll(pool);
  expect(keys.map((key) => holders.isSaved(pool, key))).toEqual([true]);
});
