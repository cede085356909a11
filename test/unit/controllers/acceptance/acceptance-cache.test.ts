/** What models hold of a pool stays with them, whatever they and others do to their objects (docs/adr/0013). */
import { describe, expect, it } from 'vitest';
import type { InferenceModel, InferencePool } from '../../../../operator/api/types.ts';
import { RESERVATION_MS } from '../../../../operator/controllers/acceptance/reservations.ts';
import type { ConfigMap, Deployment, Pod } from '../../../../operator/controllers/shared/workloads.ts';
import type { KubeObject } from '../../../../operator/kube/object.ts';
import { engineLabels } from '../../../../operator/render/labels.ts';
import { describeIssue } from '../../../../operator/values/spec-issue.ts';
import { FakeClock } from '../../kube/support/fake-clock.ts';
import { aModel, aPool } from '../fixtures.ts';
import { aGrantStore, anAcceptance, aState, put } from '../support.ts';

const names = (...servedNames: string[]) => ({
  model: { source: 'hf://mistralai/Mistral-7B-Instruct-v0.3', servedNames },
});

function setUp(spec: Record<string, unknown> = {}, store = aGrantStore()) {
  const state = aState();
  const clock = new FakeClock();
  const stale: string[] = [];
  const changed: string[] = [];
  const acceptance = anAcceptance(state, {
    store,
    clock,
    onStale: (key) => stale.push(key),
    onChanged: (keys) => changed.push(...keys),
  });
  let pool = put(state.pools.store, aPool({ allowedNamespaces: { from: 'All' }, ...spec }));
  let generation = 1;
  let second = 0;
  const next = () => {
    generation += 1;
    return generation;
  };
  /** Makes or edits a model; `key` is namespace/name. A new one is younger than all before it, unless told. */
  const model = (key: string, of: Record<string, unknown> = {}, metadata: object = {}) => {
    const [namespace = '', name = ''] = key.split('/');
    const known = state.models.store.get(key);
    if (!known) second += 1;
    const at = new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString();
    return put(
      state.models.store,
      aModel(name, of, {
        namespace,
        uid: known?.metadata.uid ?? `${key}-${next()}`,
        creationTimestamp: known?.metadata.creationTimestamp ?? at,
        generation: next(),
        ...metadata,
      }),
    );
  };
  const find = (key: string) => state.models.store.get(key) as InferenceModel;
  const verdict = (key: string) => {
    const told = acceptance.verdict(pool, find(key));
    return told.accepted ? 'accepted' : told.reason;
  };
  const message = (key: string) => {
    const told = acceptance.verdict(pool, find(key));
    return told.accepted ? '' : describeIssue(told.issue);
  };
  const editPool = (of: Record<string, unknown>): InferencePool => {
    const spec = { allowedNamespaces: { from: 'All' }, ...of };
    pool = put(state.pools.store, aPool(spec, { generation: next() }));
    return pool;
  };
  const remove = (key: string) => state.models.store.remove(find(key));
  const engine = (key: string, name: string, limits: Record<string, string> = { 'nvidia.com/gpu': '1' }) => {
    const [namespace = '', model = ''] = key.split('/');
    const labels = engineLabels({ namespace, name: model }, { name: 'pool', namespace: 'platform' });
    const metadata = { name, namespace, uid: name, labels };
    const spec = { containers: [{ name: 'vllm', resources: { limits } }] };
    const status = { startTime: '2026-01-01T00:00:00Z' };
    return put<Pod>(state.pods.store, { apiVersion: 'v1', kind: 'Pod', metadata, spec, status });
  };
  return {
    ...{ state, clock, acceptance, stale, changed, store },
    ...{ model, find, verdict, message, editPool, remove, engine },
    pool: () => pool,
  };
}

/** Team b serves `chat`; team a has an older model that goes on asking for it. */
function contested(spec: Record<string, unknown> = {}) {
  const world = setUp(spec);
  const { model, verdict } = world;
  model('a/older', names('own'));
  model('b/holder', names('chat'));
  expect([verdict('a/older'), verdict('b/holder')]).toEqual(['accepted', 'accepted']);
  model('a/older', names('own', 'chat'));
  expect(verdict('a/older')).toBe('ServedNameConflict');
  return world;
}

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

  it('is not written anew because an earlier write of this operator shows late', async () => {
    const { state, stale, record, acceptance, pool, model } = await written();
    await acceptance.save(pool(), model('b/two'));
    state.configMaps.store.upsert({ ...record, metadata: { ...record.metadata, uid: 'record' } });
    expect(stale).toEqual([]);
  });
});

describe('a name', () => {
  it('stays with its model across every edit, though an older model waits for it', () => {
    const { model, verdict } = contested();
    for (const spec of [{ priority: 5 }, { suspend: true }, { scaling: { replicas: 3 } }]) {
      model('b/holder', { ...names('chat'), ...spec });
      expect([verdict('b/holder'), verdict('a/older')]).toEqual(['accepted', 'ServedNameConflict']);
    }
  });

  it('stays with a model whose edit is refused, with all that it held', () => {
    const { model, verdict, acceptance, pool, find } = contested();
    model('b/holder', names('chat', 'own'));
    expect([verdict('b/holder'), verdict('a/older')]).toEqual(['ServedNameConflict', 'ServedNameConflict']);
    expect(acceptance.grant(pool(), find('b/holder'))?.names).toEqual(['chat']);
    model('b/holder', { ...names('chat'), engine: { tensorParallelSize: 64 } });
    expect(verdict('a/older')).toBe('ServedNameConflict');
    expect(acceptance.grant(pool(), find('b/holder'))?.names).toEqual(['chat']);
  });

  it('stays with a model that is replaced, and is free some time after a deletion', async () => {
    const { model, remove, verdict, message, clock, acceptance, pool } = contested();
    remove('b/holder');
    expect(message('a/older')).toContain('"chat": it is kept in pool platform/pool for b/holder');
    await clock.advance(RESERVATION_MS - 1);
    model('b/holder', names('chat'));
    expect([verdict('b/holder'), verdict('a/older')]).toEqual(['accepted', 'ServedNameConflict']);
    remove('b/holder');
    expect(verdict('a/older')).toBe('ServedNameConflict');
    expect(acceptance.changesInMs(pool())).toBe(RESERVATION_MS);
    await clock.advance(RESERVATION_MS);
    expect(verdict('a/older')).toBe('accepted');
    expect(acceptance.changesInMs(pool())).toBeUndefined();
  });

  it('is kept for its namespace, whose other models may have it at once', () => {
    const { model, remove, verdict } = contested();
    model('b/refused', names('own'));
    remove('b/holder');
    expect(verdict('a/older')).toBe('ServedNameConflict');
    model('b/other', names('chat'));
    expect([verdict('b/other'), verdict('a/older')]).toEqual(['accepted', 'ServedNameConflict']);
  });

  it('stays with a model that is being deleted until it is gone', async () => {
    const { model, verdict, clock } = contested();
    model('b/holder', names('chat'), { deletionTimestamp: '2026-01-02T00:00:00Z' });
    await clock.advance(RESERVATION_MS * 2);
    expect(verdict('a/older')).toBe('ServedNameConflict');
  });

  it('of two that came in one second stays with the one that was accepted, whoever else comes in it', () => {
    const { model, verdict } = setUp();
    const creationTimestamp = '2026-01-01T00:00:00Z';
    model('a/second', names('chat'), { creationTimestamp });
    model('a/third', names('chat'), { creationTimestamp });
    expect([verdict('a/second'), verdict('a/third')]).toEqual(['accepted', 'ServedNameConflict']);
    model('a/first', names('chat'), { creationTimestamp });
    expect([verdict('a/first'), verdict('a/second')]).toEqual(['ServedNameConflict', 'accepted']);
  });

  it('is not swapped by two edits, and goes from hand to hand as each lets go', () => {
    const { model, verdict, acceptance, pool, find } = setUp();
    model('a/one', names('x'));
    model('a/two', names('y'));
    expect([verdict('a/one'), verdict('a/two')]).toEqual(['accepted', 'accepted']);
    model('a/one', names('y'));
    model('a/two', names('x'));
    expect([verdict('a/one'), verdict('a/two')]).toEqual(['ServedNameConflict', 'ServedNameConflict']);
    expect(acceptance.grant(pool(), find('a/one'))?.names).toEqual(['x']);
    model('a/one', names('z'));
    expect([verdict('a/one'), verdict('a/two')]).toEqual(['accepted', 'accepted']);
    expect(acceptance.grant(pool(), find('a/two'))?.names).toEqual(['x']);
  });

  it('is not held by a model that was refused, or whose spec cannot run', () => {
    const { model, verdict } = setUp();
    model('a/broken', { ...names('chat'), engine: { tensorParallelSize: 64 } });
    model('a/large', { model: { source: 'hf://meta-llama/Llama-3.3-70B-Instruct', servedNames: ['chat'] } });
    model('a/held', names('more'));
    model('a/refused', names('more', 'chat'));
    model('b/chat', names('chat'));
    expect([verdict('a/refused'), verdict('b/chat')]).toEqual(['ServedNameConflict', 'accepted']);
  });

  it('leaves with a model that moves to another pool', async () => {
    const { model, verdict, clock } = contested();
    model('b/holder', { ...names('chat'), poolRef: { name: 'second', namespace: 'platform' } });
    await clock.advance(0);
    expect(verdict('a/older')).toBe('ServedNameConflict');
    await clock.advance(RESERVATION_MS);
    expect(verdict('a/older')).toBe('accepted');
  });

  it('tells those whose verdict it changes', () => {
    const { model, verdict, changed } = contested();
    changed.length = 0;
    model('b/holder', names('talk'));
    expect(verdict('a/older')).toBe('accepted');
    expect(changed).toEqual(['a/older']);
  });
});

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

  it('believes no record that somebody else could have written', async () => {
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

  it('is not misled by a pool that was deleted and made anew', async () => {
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

describe('accelerators', () => {
  const budget = (accelerators: number, more = {}) => ({ capacity: { accelerators, ...more } });

  it('stay with a model that has started, whoever comes in the same second', () => {
    const { model, verdict } = setUp(budget(2));
    const creationTimestamp = '2026-01-01T00:00:00Z';
    for (const key of ['a/c-one', 'a/b-two', 'a/a-three', 'a/z-four']) {
      model(key, {}, { creationTimestamp });
      verdict(key);
    }
    expect(['a/c-one', 'a/b-two', 'a/a-three', 'a/z-four'].map(verdict)).toEqual([
      'accepted',
      'accepted',
      'QuotaExceeded',
      'QuotaExceeded',
    ]);
  });

  it('of an edit that asks for more are only claimed beyond those that it has', () => {
    const { model, verdict, message } = setUp(budget(4));
    model('a/one', { scaling: { replicas: 2 } });
    model('b/two', { scaling: { replicas: 1 } });
    expect([verdict('a/one'), verdict('b/two')]).toEqual(['accepted', 'accepted']);
    model('a/one', { scaling: { replicas: 4 } });
    expect(message('a/one')).toContain('has 3 of 4 left');
    model('a/one', { scaling: { replicas: 3 } });
    expect(verdict('a/one')).toBe('accepted');
  });

  it('stay with their models when the budget is lowered or overcommit ends, and newcomers wait', () => {
    const { model, verdict, editPool, acceptance, pool } = setUp(budget(1, { overcommit: true }));
    model('a/one');
    model('b/two');
    expect([verdict('a/one'), verdict('b/two')]).toEqual(['accepted', 'accepted']);
    editPool(budget(1));
    model('a/three');
    expect(['a/one', 'b/two', 'a/three'].map(verdict)).toEqual(['accepted', 'accepted', 'QuotaExceeded']);
    // So what is made anew starts when the budget says so.
    expect(acceptance.hasRoomForAll(pool())).toBe(false);
    editPool(budget(1, { overcommit: true }));
    expect(verdict('a/three')).toBe('accepted');
  });

  it.each([
    ['is suspended', (world: ReturnType<typeof setUp>) => world.model('a/one', { suspend: true })],
    ['is deleted', (world: ReturnType<typeof setUp>) => world.remove('a/one')],
    [
      'moves to another pool',
      (world: ReturnType<typeof setUp>) =>
        world.model('a/one', { poolRef: { name: 'second', namespace: 'platform' } }),
    ],
    [
      'may no longer use the pool',
      (world: ReturnType<typeof setUp>) =>
        world.editPool({
          ...budget(1),
          allowedNamespaces: { from: 'Selector', selector: { matchLabels: { team: 'b' } } },
        }),
    ],
  ])('are held until the engines are gone when a model %s', async (_what, leave) => {
    const world = setUp(budget(1));
    const { model, verdict, engine, state, clock, stale, acceptance, pool } = world;
    put(state.namespaces.store, {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: 'b', labels: { team: 'b' } },
    });
    model('a/one');
    expect(verdict('a/one')).toBe('accepted');
    const pod = engine('a/one', 'engine');
    leave(world);
    model('b/two');
    expect(verdict('b/two')).toBe('QuotaExceeded');
    await clock.advance(RESERVATION_MS);
    expect(verdict('b/two')).toBe('QuotaExceeded');
    expect(acceptance.mayRun(pool(), world.find('b/two'))).toBe(false);
    expect(stale).toEqual([]);
    state.pods.store.remove(pod);
    expect(stale).toEqual(['platform/pool']);
    expect(verdict('b/two')).toBe('accepted');
  });

  it('of a model that is gone count for those that wake, and no forged pod adds to them', () => {
    const { model, verdict, engine, remove, acceptance, pool } = setUp(budget(4));
    model('a/one', { scaling: { replicas: 2 } });
    verdict('a/one');
    for (const name of ['e1', 'e2', 'e3']) engine('a/one', name);
    engine('b/never', 'forged');
    model('b/two');
    verdict('b/two');
    engine('b/two', 'without', {});
    remove('a/one');
    remove('b/two');
    expect(acceptance.leaving(pool())).toEqual([{ key: 'a/one', replicas: 2 }]);
  });

  it('count as many as a Deployment asks for, before its pods are there', () => {
    const { model, verdict, state } = setUp(budget(2));
    model('a/one', { scaling: { replicas: 2 } });
    verdict('a/one');
    const labels = engineLabels({ name: 'one', namespace: 'a' }, { name: 'pool', namespace: 'platform' });
    const deployment: KubeObject & { spec: object } = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'vllm-one', namespace: 'a', uid: 'd', labels },
      spec: { replicas: 2 },
    };
    put(state.deployments.store, deployment as Deployment);
    model('a/one', { scaling: { replicas: 1 } });
    model('b/two');
    expect(verdict('b/two')).toBe('QuotaExceeded');
    put(state.deployments.store, { ...deployment, spec: { replicas: 1 } } as Deployment);
    expect(verdict('b/two')).toBe('accepted');
  });
});

describe('a namespace', () => {
  it('may have so many models in a pool, those that it has come first', () => {
    const { model, verdict, message, editPool, remove } = setUp({ capacity: { modelsPerNamespace: 2 } });
    for (const key of ['a/one', 'a/two', 'a/three', 'b/four']) model(key, { suspend: true });
    expect(['a/one', 'a/two', 'a/three', 'b/four'].map(verdict)).toEqual([
      'accepted',
      'accepted',
      'QuotaExceeded',
      'accepted',
    ]);
    expect(message('a/three')).toContain('raise capacity.modelsPerNamespace');
    editPool({ capacity: { modelsPerNamespace: 1 } });
    expect(['a/one', 'a/two', 'a/three'].map(verdict)).toEqual(['accepted', 'accepted', 'QuotaExceeded']);
    remove('a/one');
    remove('a/two');
    expect(verdict('a/three')).toBe('accepted');
  });

  it('may have so many characters of names', () => {
    const { model, verdict, message } = setUp({ capacity: { modelsPerNamespace: 5000 } });
    const adapters = (i: number) =>
      Array.from({ length: 64 }, (_, j) => ({ name: `${i}-${j}-${'x'.repeat(240)}`, source: 'a/b' }));
    for (let i = 0; i < 20; i++) model(`a/m${i}`, { engine: { lora: { adapters: adapters(i) } } });
    expect([verdict('a/m0'), verdict('a/m19')]).toEqual(['accepted', 'QuotaExceeded']);
    expect(message('a/m19')).toContain('characters');
    model('b/one');
    expect(verdict('b/one')).toBe('accepted');
  });

  it('that may no longer use the pool has nothing that runs there, and its names are free after a while', async () => {
    const { model, verdict, editPool, acceptance, pool, find, clock } = contested();
    editPool({ allowedNamespaces: { from: 'Selector', selector: { matchLabels: { team: 'a' } } } });
    expect([verdict('b/holder'), acceptance.mayRun(pool(), find('b/holder'))]).toEqual([
      'NamespaceNotAllowed',
      false,
    ]);
    editPool({});
    model('b/holder', { ...names('chat'), priority: 1 });
    expect([verdict('b/holder'), verdict('a/older')]).toEqual(['accepted', 'ServedNameConflict']);
    editPool({ allowedNamespaces: { from: 'Same' } });
    expect(verdict('a/older')).toBe('NamespaceNotAllowed');
    await clock.advance(RESERVATION_MS);
    verdict('a/older');
    editPool({});
    expect([verdict('a/older'), verdict('b/holder')]).toEqual(['accepted', 'ServedNameConflict']);
  });
});
