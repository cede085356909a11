/** The records of what models hold of a pool are the operator's: it mends them (docs/adr/0013). */
import { describe, expect, it } from 'vitest';
import type { ConfigMap } from '../../../../operator/controllers/shared/workloads.ts';
import { KubeError } from '../../../../operator/kube/errors.ts';
import { put } from '../support.ts';
import { setUp } from './support/accepted-models.ts';

describe('a record', () => {
  /** The record of namespace b as it was written, in a namespace. */
  async function written(namespace = 'platform') {
    const world = setUp();
    const { state, model, acceptance, pool } = world;
    const { objects } = world.store;
    await acceptance.save(pool(), model('b/one'));
    const record = objects.get('grants.b.pool') as ConfigMap;
    const change = (data = record.data, metadata: object = {}) =>
      put(state.configMaps.store, {
        ...record,
        metadata: { ...record.metadata, uid: 'record', namespace, ...metadata },
        data,
      } as ConfigMap);
    return { ...world, objects, record, change };
  }

  it.each([
    ['platform', ['platform/pool']],
    ['b', []],
  ])(
    'is written anew when it is deleted where the pool is, and nowhere else: %s',
    async (namespace, told) => {
      const { state, stale, change } = await written(namespace);
      const record = change();
      expect(stale).toEqual([]);
      state.configMaps.store.remove(record);
      expect(stale).toEqual(told);
    },
  );

  it.each([
    ['its content', { 'grants.json': '{}' }, {}],
    ['its owner, without whom nobody reads it', undefined, { ownerReferences: [] }],
  ])('is written anew when somebody else changes %s', async (_what, data, metadata) => {
    const { stale, change, acceptance, pool, find, objects } = await written();
    const before = structuredClone(objects.get('grants.b.pool'));
    change();
    change(data, metadata);
    expect(stale).toEqual(['platform/pool']);
    objects.clear();
    await acceptance.save(pool(), find('b/one'));
    expect(JSON.parse(objects.get('grants.b.pool')?.data?.['grants.json'] ?? '')).toEqual({
      ...JSON.parse(before?.data?.['grants.json'] ?? ''),
      version: 2,
    });
  });

  it('is not rewritten if another leader has written the same content', async () => {
    const { stale, record, change } = await written();
    const same = JSON.parse(record.data?.['grants.json'] ?? '');
    change({ 'grants.json': JSON.stringify({ ...same, version: 7 }) });
    expect(stale).toEqual([]);
  });

  it('is not rewritten if the cache shows an earlier write late', async () => {
    const { state, stale, record, acceptance, pool, model } = await written();
    await acceptance.save(pool(), model('b/two'));
    state.configMaps.store.upsert({ ...record, metadata: { ...record.metadata, uid: 'record' } });
    expect(stale).toEqual([]);
  });

  it('of a pool whose namespace is gone is not written, and that is no fault', async () => {
    const { store, acceptance, pool, find, model, objects } = await written();
    objects.clear();
    let applies = 0;
    store.apply = async () => {
      applies += 1;
      const details = { name: 'platform', kind: 'namespaces' };
      throw new KubeError({
        code: 'NotFound',
        request: 'PATCH /x',
        message: 'namespaces "platform" not found',
        details,
      });
    };
    model('b/two');
    await acceptance.save(pool(), find('b/one'));
    expect(applies).toBe(1);
  });
});
