/** What models hold of a pool is written down for the operator that leads next (docs/adr/0013). */
import { describe, expect, it } from 'vitest';
import { aModel, aPool } from '../fixtures.ts';
import { aGrantStore, anAcceptance, aState, put } from '../support.ts';
import { contested, names } from './support/accepted-models.ts';

describe('the next leader', () => {
  it('knows what was written, and nothing that was not', async () => {
    const first = contested();
    const { acceptance, pool, find, store, model } = first;
    for (const key of ['a/older', 'b/holder']) await acceptance.save(pool(), find(key));
    model('b/holder', names('chat', 'late'));
    acceptance.verdicts(pool());
    const state = aState();
    const next = anAcceptance(state, { store });
    await next.load();
    put(state.pools.store, pool());
    put(
      state.models.store,
      aModel('holder', names('chat'), { namespace: 'b', creationTimestamp: '2027-01-01T00:00:00Z' }),
    );
    const older = put(state.models.store, aModel('older', names('own', 'chat'), { namespace: 'a' }));
    const third = put(state.models.store, aModel('third', names('late'), { namespace: 'a' }));
    expect(next.verdict(pool(), older)).toMatchObject({ reason: 'ServedNameConflict' });
    expect(next.verdict(pool(), third)).toEqual({ accepted: true });
  });

  it('ignores records that a tenant could have written', async () => {
    const { acceptance, pool, find, store } = contested();
    for (const key of ['a/older', 'b/holder']) await acceptance.save(pool(), find(key));
    expect([...store.objects.keys()].sort()).toEqual(['grants.a.pool', 'grants.b.pool']);
    const record = store.objects.get('grants.b.pool');
    if (!record) throw new Error('not written');
    const forgeries = [
      { ...record.metadata, namespace: 'a' },
      { ...record.metadata, name: 'grants.a.pool' },
      { ...record.metadata, ownerReferences: [] },
    ];
    for (const metadata of forgeries) {
      const state = aState();
      const next = anAcceptance(state, {
        store: aGrantStore(new Map([[metadata.name, { ...record, metadata }]])),
      });
      await next.load();
      const thief = put(state.models.store, aModel('thief', names('chat'), { namespace: 'a' }));
      put(state.pools.store, pool());
      expect(next.verdict(pool(), thief)).toEqual({ accepted: true });
    }
  });

  it('finds a name with the one who had it last, if the leader before it ended between two writes', async () => {
    const { acceptance, pool, find, store, model, verdict } = contested();
    await acceptance.save(pool(), find('b/holder'));
    const before = structuredClone(store.objects.get('grants.b.pool'));
    model('b/holder', names('talk'));
    expect(verdict('a/older')).toBe('accepted');
    await acceptance.save(pool(), find('b/holder'));
    await acceptance.save(pool(), find('a/older'));
    if (before) store.objects.set('grants.b.pool', before);
    const state = aState();
    const next = anAcceptance(state, { store });
    await next.load();
    put(state.pools.store, pool());
    const older = put(state.models.store, aModel('older', names('own', 'chat'), { namespace: 'a' }));
    expect(next.grant(pool(), older)?.names).toEqual(['own', 'chat']);
  });

  it('is not confused by a pool that was deleted and created again', async () => {
    const { acceptance, pool, find, store } = contested();
    await acceptance.save(pool(), find('b/holder'));
    const state = aState();
    const next = anAcceptance(state, { store });
    await next.load();
    const anew = put(state.pools.store, aPool({ allowedNamespaces: { from: 'All' } }, { uid: 'another' }));
    const older = put(state.models.store, aModel('older', names('chat'), { namespace: 'a' }));
    expect(next.verdict(anew, older)).toEqual({ accepted: true });
  });
});
