import { Registry } from 'prom-client';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  Applier,
  type ApplierOptions,
  type ApplyInput,
  NotOwnedError,
} from '../../../operator/kube/applier.ts';
import type { KubeObject } from '../../../operator/kube/object.ts';
import { Reflector } from '../../../operator/kube/reflector.ts';
import { CONFIG_MAPS, SERVICES } from '../../../operator/kube/resource-types.ts';
import { WriteTracker } from '../../../operator/kube/write-tracker.ts';
import { FakeClock } from './support/fake-clock.ts';
import { type ConfigMap, configMap, MiniApi, ownerNamed } from './support/mini-api.ts';

const HASH = 'example.com/applied-hash';
const owner = ownerNamed('w');
const service: KubeObject & { spec: object } = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'a', namespace: 'default' },
  spec: { type: 'ClusterIP' },
};

let api: MiniApi;
let abort: AbortController;
let configMaps: Reflector<ConfigMap>;
let services: Reflector;
let clock: FakeClock;
beforeEach(async () => {
  api = await MiniApi.start();
  abort = new AbortController();
  clock = new FakeClock();
  configMaps = new Reflector<ConfigMap>({ client: api.client(), type: CONFIG_MAPS, freeze: true });
  services = new Reflector({ client: api.client(), type: SERVICES, freeze: true });
  for (const reflector of [configMaps, services]) {
    void reflector.run(abort.signal);
    await reflector.waitForSync();
  }
  await expect.poll(() => api.openWatches).toBe(2);
});
afterEach(async () => {
  abort.abort(new Error('test over'));
  await api.close();
});

function newApplier(options: Partial<ApplierOptions> = {}): Applier {
  return new Applier({
    client: api.client(),
    fieldManager: 'operator',
    children: [
      { type: CONFIG_MAPS, store: configMaps.store },
      { type: SERVICES, store: services.store },
    ],
    hashAnnotation: HASH,
    clock,
    ...options,
  });
}

/** Applies, and waits until the local copies show the outcome. */
async function apply(applier: Applier, desired: KubeObject[], input: Partial<ApplyInput> = {}) {
  const before = api.requests.length;
  const result = await applier.apply({ owner, desired, ...input });
  expect(api.requests.length - before, 'requests counted right').toBe(result.requests);
  await caughtUp();
  return {
    ...result,
    summary: result.changes.map(({ action, type, key }) => `${action} ${type.kind} ${key}`),
  };
}

async function caughtUp(): Promise<void> {
  const state = (objects: KubeObject[]) =>
    objects
      .map(({ metadata }) => `${metadata.name}@${metadata.resourceVersion}`)
      .sort()
      .join();
  await expect
    .poll(
      () =>
        state(configMaps.store.list()) === state(api.store.list(CONFIG_MAPS)) &&
        state(services.store.list()) === state(api.store.list(SERVICES)),
      { message: 'the copies' },
    )
    .toBeTruthy();
}

const change = async (name: string, edit: object) => {
  const { data, ...bare } = configMap(name);
  api.store.put(CONFIG_MAPS, { ...bare, ...edit });
  await caughtUp();
};

describe('applying', () => {
  test('creates children that belong to the owner, and a second time makes no request', async () => {
    const applier = newApplier();
    const desired = [configMap('a', { x: '1' }), service];
    const first = await apply(applier, desired);
    expect(first.summary).toEqual(['created ConfigMap default/a', 'created Service default/a']);
    expect(configMaps.store.get('default/a')).toMatchObject({
      metadata: {
        ownerReferences: [
          { kind: 'Widget', name: 'w', uid: owner.metadata.uid, controller: true, blockOwnerDeletion: true },
        ],
      },
      data: { x: '1' },
    });
    const second = await apply(applier, desired);
    expect([second.requests, second.changes]).toEqual([0, []]);
  });

  test('before the local copy shows the outcome, a second time makes no request either', async () => {
    const applier = newApplier();
    api.fault = ({ query }) => (query.has('watch') ? { status: 503 } : undefined);
    api.dropWatches('end');
    await expect.poll(() => api.openWatches).toBe(0);
    await applier.apply({ owner, desired: [configMap('a')] });
    expect(configMaps.store.get('default/a')).toBeUndefined();
    const { requests } = await applier.apply({ owner, desired: [configMap('a')] });
    expect(requests).toBe(0);
  });

  test('a new process recognizes up-to-date objects without a request', async () => {
    await apply(newApplier(), [configMap('a', { x: '1' }), service]);
    expect((await apply(newApplier(), [configMap('a', { x: '1' }), service])).requests).toBe(0);
    expect(
      (await apply(newApplier({ hashAnnotation: 'other' }), [configMap('a', { x: '1' }), service])).requests,
    ).toBe(2);
  });

  test('a change of the desired state is one request', async () => {
    const applier = newApplier();
    await apply(applier, [configMap('a', { x: '1' }), service]);
    const { summary, requests } = await apply(applier, [configMap('a', { x: '2' }), service]);
    expect([summary, requests]).toEqual([['updated ConfigMap default/a'], 1]);
  });

  test('a value that the server writes in another form is applied once, not each time', async () => {
    const applier = newApplier();
    const wanted = configMap('a', { cpu: '1000m' });
    await apply(applier, [wanted]);
    await change('a', { data: { cpu: '1' } });
    // The server would normalise each apply to the same object: nothing changes.
    api.fault = ({ method }) =>
      method === 'PATCH' ? { status: 200, body: JSON.stringify(api.store.list(CONFIG_MAPS)[0]) } : undefined;
    expect((await apply(applier, [wanted])).requests).toBe(1);
    const again = await apply(applier, [wanted]);
    expect([again.requests, again.changes]).toEqual([0, []]);
  });

  test('status and foreign fields of a child cost nothing', async () => {
    const applier = newApplier();
    await apply(applier, [configMap('a', { x: '1' })]);
    await change('a', {
      status: { replicas: 3 },
      metadata: {
        name: 'a',
        namespace: 'default',
        annotations: {
          [HASH]: configMaps.store.get('default/a')?.metadata.annotations?.[HASH],
          theirs: 'kept',
        },
      },
    });
    expect((await apply(applier, [configMap('a', { x: '1' })])).requests).toBe(0);
    expect(configMaps.store.get('default/a')?.metadata.annotations?.theirs).toBe('kept');
  });
});

describe('what others do', () => {
  test('a change of a field of ours is undone', async () => {
    const applier = newApplier();
    await apply(applier, [configMap('a', { x: '1' })]);
    await change('a', { data: { x: 'theirs' } });
    expect((await apply(applier, [configMap('a', { x: '1' })])).summary).toEqual([
      'updated ConfigMap default/a',
    ]);
    expect(configMaps.store.get('default/a')?.data).toEqual({ x: '1' });
  });

  test('a child that was deleted comes back', async () => {
    const applier = newApplier();
    await apply(applier, [configMap('a')]);
    api.store.remove(CONFIG_MAPS, 'default/a');
    await caughtUp();
    expect((await apply(applier, [configMap('a')])).summary).toEqual(['created ConfigMap default/a']);
  });

  test('a child that is going is left to go', async () => {
    const applier = newApplier();
    await apply(applier, [configMap('a')]);
    await change('a', {
      metadata: {
        name: 'a',
        namespace: 'default',
        deletionTimestamp: '2026-01-01T00:00:00Z',
        annotations: {},
      },
    });
    expect((await apply(applier, [configMap('a', { new: 'x' })])).requests).toBe(0);
  });

  test.each([
    ['of nobody', {}, 'it was not created by this operator'],
    [
      'of another controller',
      { ownerReferences: [{ apiVersion: 'v1', kind: 'Gadget', name: 'g', uid: 'x', controller: true }] },
      'it belongs to Gadget g',
    ],
  ])('an object %s is not taken over, seen or unseen', async (_case, metadata, message) => {
    api.store.put(CONFIG_MAPS, configMap('a', { theirs: '1' }, metadata));
    await caughtUp();
    const seen = newApplier().apply({ owner, desired: [configMap('a', { x: '1' })] });
    await expect(seen).rejects.toBeInstanceOf(NotOwnedError);
    await expect(seen).rejects.toMatchObject({
      code: 'NotOwned',
      message: `ConfigMap default/a exists and ${message}; delete or rename it`,
    });
    const empty = new Reflector({ client: api.client(), type: CONFIG_MAPS });
    const unseen = newApplier({ children: [{ type: CONFIG_MAPS, store: empty.store }] });
    await expect(unseen.apply({ owner, desired: [configMap('a', { x: '1' })] })).rejects.toBeInstanceOf(
      NotOwnedError,
    );
    expect(api.store.list(CONFIG_MAPS)[0]).toMatchObject({ data: { theirs: '1' } });
  });

  test('one of ours that lost its owner gets it back, also in a new process', async () => {
    await apply(newApplier(), [configMap('a')]);
    const { annotations } = configMaps.store.get('default/a')?.metadata ?? {};
    await change('a', { metadata: { name: 'a', namespace: 'default', annotations, ownerReferences: [] } });
    expect((await apply(newApplier(), [configMap('a')])).summary).toEqual(['updated ConfigMap default/a']);
    expect(configMaps.store.byOwner(owner.metadata.uid ?? '')).toHaveLength(1);
  });

  test('a client that keeps changing a child wins after a while and is named, and other children are applied', async () => {
    const applier = newApplier({ fight: { burst: 3, intervalMs: 10_000 } });
    const desired = [configMap('a', { x: '1' }), configMap('b')];
    await apply(applier, desired);
    const interfere = () =>
      change('a', {
        data: { x: 'theirs' },
        metadata: {
          name: 'a',
          namespace: 'default',
          managedFields: [
            { manager: 'meddler', time: '2026' },
            { manager: 'kubelet', subresource: 'status' },
            { manager: 'operator' },
          ],
        },
      });
    for (let round = 0; round < 3; round++) {
      await interfere();
      expect((await apply(applier, desired)).fights).toEqual([]);
    }
    await interfere();
    const lost = await apply(applier, [...desired, service]);
    expect(lost.fights).toMatchObject([{ key: 'default/a', managers: ['meddler'], retryAfterMs: 10_000 }]);
    expect(lost.summary).toEqual(['created Service default/a']);
    await clock.advance(10_000);
    expect((await apply(applier, [...desired, service])).summary).toEqual(['updated ConfigMap default/a']);
  });
});

describe('pruning', () => {
  test('deletes only children that are no longer desired', async () => {
    const applier = newApplier();
    await apply(applier, [configMap('a'), configMap('b'), service]);
    api.store.put(
      CONFIG_MAPS,
      configMap(
        'not-controlled',
        {},
        { ownerReferences: [{ apiVersion: 'v1', kind: 'Widget', name: 'w', uid: owner.metadata.uid }] },
      ),
    );
    api.store.put(CONFIG_MAPS, configMap('foreign'));
    await caughtUp();
    const version = configMaps.store.get('default/b')?.metadata.resourceVersion;
    const { summary } = await apply(applier, [configMap('a')]);
    expect(summary).toEqual(['deleted ConfigMap default/b', 'deleted Service default/a']);
    expect(configMaps.store.keys().sort()).toEqual([
      'default/a',
      'default/foreign',
      'default/not-controlled',
    ]);
    const request = api.writes.find(
      ({ method, path }) => method === 'DELETE' && path.endsWith('/configmaps/b'),
    );
    expect(JSON.parse(request?.body ?? '')).toMatchObject({
      preconditions: { resourceVersion: version },
      propagationPolicy: 'Background',
    });
  });

  test('not if asked not to, for the call or for the type', async () => {
    const applier = newApplier({
      children: [
        { type: CONFIG_MAPS, store: configMaps.store, prune: false },
        { type: SERVICES, store: services.store },
      ],
    });
    await apply(applier, [configMap('a'), service]);
    expect((await apply(applier, [], { prune: false })).requests).toBe(0);
    expect((await apply(applier, [])).summary).toEqual(['deleted Service default/a']);
  });

  test('an object that changed meanwhile is not deleted: Conflict', async () => {
    const applier = newApplier();
    await apply(applier, [configMap('a')]);
    api.fault = ({ method }) => {
      if (method === 'DELETE') api.store.put(CONFIG_MAPS, configMap('a', { new: 'x' }));
      return undefined;
    };
    await expect(applier.apply({ owner, desired: [] })).rejects.toMatchObject({ code: 'Conflict' });
    expect(api.store.list(CONFIG_MAPS)).toHaveLength(1);
  });
});

test('the next reconcile of the owner waits for what was written', async () => {
  const tracker = new WriteTracker();
  const applier = newApplier({ tracker });
  const { changes } = await applier.apply({ owner, desired: [configMap('a')] });
  const ready = tracker.isReady('default/w');
  expect(changes).toHaveLength(1);
  await expect.poll(() => tracker.isReady('default/w')).toBeTruthy();
  expect(ready === true || configMaps.store.get('default/a') !== undefined).toBe(true);
});

test('the first failure ends it, with what failed', async () => {
  api.fault = ({ method, path }) =>
    method === 'PATCH' && path.includes('configmaps')
      ? { status: 422, body: '{"kind":"Status","reason":"Invalid","message":"field is immutable"}' }
      : undefined;
  await expect(newApplier().apply({ owner, desired: [service, configMap('a')] })).rejects.toThrow(
    'PATCH /api/v1/namespaces/default/configmaps/a: field is immutable',
  );
  expect(api.store.list(SERVICES)).toHaveLength(1);
});

test('an unknown type is an error of the caller', async () => {
  await expect(newApplier().apply({ owner, desired: [{ ...service, kind: 'Secret' }] })).rejects.toThrow(
    'v1 Secret is not among the child types',
  );
});

test('results are counted', async () => {
  const registry = new Registry();
  const applier = newApplier({ registry });
  await apply(applier, [configMap('a')]);
  await apply(applier, [configMap('a')]);
  const text = await registry.getSingleMetricAsString('apply_total');
  expect(text).toContain('apply_total{result="created"} 1');
  expect(text).toContain('apply_total{result="skipped"} 1');
});
