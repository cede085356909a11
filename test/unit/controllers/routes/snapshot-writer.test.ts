import { expect, it } from 'vitest';
import { SnapshotWriter } from '../../../../operator/controllers/routes/snapshot-writer.ts';
import type { ConfigMap } from '../../../../operator/controllers/shared/workloads.ts';
import type { KubeClient } from '../../../../operator/kube/client.ts';
import { silentLogger } from '../../../../operator/kube/logger.ts';
import type { RouteTable } from '../../../../operator/router/route-table.ts';
import { model, table } from '../../../support/route-table.ts';
import { FakeClock } from '../../kube/support/fake-clock.ts';
import { aPool } from '../fixtures.ts';
import { aState, put } from '../support.ts';

const KEY = 'platform/pool';
const { signal } = new AbortController();

function setUp() {
  const state = aState();
  const clock = new FakeClock();
  put(state.pools.store, aPool());
  const written: string[][] = [];
  const asked: string[] = [];
  const client = {
    apply: async (_type: unknown, object: ConfigMap) => {
      const { models } = JSON.parse(object.data?.['routes.json'] ?? '') as RouteTable;
      written.push(models.map(({ name }) => name));
      return put(state.configMaps.store, object);
    },
  } as unknown as KubeClient;
  const onNew = (key: string) => asked.push(key);
  const writer = new SnapshotWriter({ client, state, clock, log: silentLogger, onNew });
  return { state, clock, written, asked, writer };
}

it('writes the first table at once, and the newest of those that follow after half a minute', async () => {
  const { writer, written, asked, clock } = setUp();
  writer.offer(aPool(), table([model('a', [])]));
  expect(asked).toEqual([KEY]);
  expect(await writer.reconcile(KEY, { signal })).toBeUndefined();
  expect(written).toEqual([['a']]);
  writer.offer(aPool(), table([model('b', [])]));
  writer.offer(aPool(), table([model('c', [])]));
  expect(await writer.reconcile(KEY, { signal })).toEqual({ requeueAfterMs: 30_000 });
  await clock.advance(30_000);
  await writer.reconcile(KEY, { signal });
  expect(written).toEqual([['a'], ['c']]);
});

it('writes nothing for a table that differs in its version alone', async () => {
  const { writer, written, clock } = setUp();
  writer.offer(aPool(), table([model('a', [])]));
  await writer.reconcile(KEY, { signal });
  await clock.advance(60_000);
  writer.offer(aPool(), table([model('a', [])]));
  expect(await writer.reconcile(KEY, { signal })).toBeUndefined();
  expect(written).toHaveLength(1);
});

it('rewrites a snapshot that was deleted', async () => {
  const { writer, written, state } = setUp();
  const same = table([model('a', [])]);
  writer.offer(aPool(), same);
  await writer.reconcile(KEY, { signal });
  for (const object of state.configMaps.store.list()) state.configMaps.store.remove(object);
  writer.offer(aPool(), same);
  await writer.reconcile(KEY, { signal });
  expect(written).toHaveLength(2);
});

it.each([
  ['data', { data: { 'routes.json': '{}' }, metadata: {} }],
  ['owner', { metadata: { ownerReferences: [] } }],
])('rewrites a snapshot whose %s somebody else has changed, half a minute later', async (_, edit) => {
  const { writer, written, state, clock } = setUp();
  const same = table([model('a', [])]);
  writer.offer(aPool(), same);
  await writer.reconcile(KEY, { signal });
  const [object] = state.configMaps.store.list();
  if (!object) throw new Error('a snapshot was written');
  put(state.configMaps.store, { ...object, ...edit, metadata: { ...object.metadata, ...edit.metadata } });
  writer.offer(aPool(), same);
  expect(await writer.reconcile(KEY, { signal })).toEqual({ requeueAfterMs: 30_000 });
  await clock.advance(30_000);
  await writer.reconcile(KEY, { signal });
  expect(written).toHaveLength(2);
  writer.offer(aPool(), same);
  await clock.advance(30_000);
  await writer.reconcile(KEY, { signal });
  expect(written).toHaveLength(2);
});

it('leaves a snapshot alone whose annotations somebody else has changed', async () => {
  const { writer, written, state, clock } = setUp();
  const same = table([model('a', [])]);
  writer.offer(aPool(), same);
  await writer.reconcile(KEY, { signal });
  for (const object of state.configMaps.store.list())
    put(state.configMaps.store, { ...object, metadata: { ...object.metadata, annotations: { note: 'x' } } });
  await clock.advance(60_000);
  writer.offer(aPool(), same);
  await writer.reconcile(KEY, { signal });
  expect(written).toHaveLength(1);
});

it('writes what was put off before it ends, and is continued by the next operator', async () => {
  const { writer, written, state, clock } = setUp();
  writer.offer(aPool(), table([model('a', [])]));
  await writer.reconcile(KEY, { signal });
  const last = table([model('b', [])]);
  writer.offer(aPool(), last);
  await writer.reconcile(KEY, { signal });
  await writer.flush(signal);
  expect(written).toEqual([['a'], ['b']]);
  const next = new SnapshotWriter({
    client: {} as KubeClient,
    state,
    clock,
    log: silentLogger,
    onNew: () => {},
  });
  const pool = state.pools.store.get(KEY);
  expect(pool && next.load(pool)).toEqual(last);
});

it.each([
  ['is of another pool of that name', { uid: 'before' }, JSON.stringify(table([model('a', [])]))],
  ['somebody else made', undefined, JSON.stringify(table([model('a', [])]))],
  ['is not JSON', { uid: 'pool-uid' }, 'oops'],
  ['is no table', { uid: 'pool-uid' }, '{"version":1,"models":[{}]}'],
  [
    'has a version that leaves none above it',
    { uid: 'pool-uid' },
    JSON.stringify({ ...table([]), version: Number.MAX_SAFE_INTEGER }),
  ],
])('does not go on from a snapshot that %s', (_, owner, text) => {
  const { state, writer } = setUp();
  put(state.configMaps.store, {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name: 'pool-routes',
      namespace: 'platform',
      ownerReferences: owner && [{ apiVersion: 'x', kind: 'InferencePool', name: 'pool', ...owner }],
    },
    data: { 'routes.json': text },
  } as ConfigMap);
  expect(writer.load(aPool())).toBeUndefined();
});
