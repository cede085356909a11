import { describe, expect, it } from 'vitest';
import { watchForRoutes } from '../../../../operator/controllers/routes/setup.ts';
import { Controller } from '../../../../operator/kube/controller.ts';
import type { KubeObject } from '../../../../operator/kube/object.ts';
import { WorkQueue } from '../../../../operator/kube/work-queue.ts';
import { MODEL_LABEL } from '../../../../operator/render/labels.ts';
import type { EndpointSlice } from '../../../../operator/router/endpoints-from-slices.ts';
import { aModel, aPool } from '../fixtures.ts';
import { aState, put } from '../support.ts';

/** Three pools: of its own namespace only without keys and with them, and for namespaces with a label. */
function setUp() {
  const state = aState();
  const queue = new WorkQueue({ name: 'routes' });
  watchForRoutes(new Controller({ name: 'routes', queue, reconcile: async () => {} }), state);
  const withKeys = { router: { auth: { mode: 'APIKey' } } };
  const selector = { matchLabels: { tenant: 'yes' } };
  put(state.pools.store, aPool({}, { name: 'open', uid: 'open' }));
  put(state.pools.store, aPool(withKeys, { name: 'own', uid: 'own' }));
  const shared = { ...withKeys, allowedNamespaces: { from: 'Selector', selector } };
  put(state.pools.store, aPool(shared, { name: 'shared', uid: 'shared' }));
  const namespace = (name: string, labels = {}, annotations = {}): KubeObject =>
    put(state.namespaces.store, {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name, uid: name, labels, annotations },
    });
  const keys = (inNamespace: string, entry: string) =>
    put(state.apiKeys.store, {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'keys', namespace: inNamespace, uid: `keys-${inNamespace}` },
      data: { entry },
    });
  /** Pools whose routes are looked at because of a change. */
  const concerned = async (change: () => void): Promise<string[]> => {
    const drain = async () => {
      const found: string[] = [];
      while (queue.length > 0) {
        const key = (await queue.get()) ?? '';
        queue.done(key);
        found.push(key);
      }
      return found;
    };
    await drain();
    change();
    return (await drain()).sort();
  };
  return { state, namespace, keys, concerned };
}

describe('a change of a model', () => {
  it('concerns its pool, if that admits the namespace', async () => {
    const { state, namespace, concerned } = setUp();
    namespace('stranger');
    namespace('team', { tenant: 'yes' });
    const edit = (inNamespace: string, generation: number) =>
      put(
        state.models.store,
        aModel(
          'llama',
          { poolRef: { name: 'shared', namespace: 'platform' } },
          { namespace: inNamespace, uid: inNamespace, generation },
        ),
      );
    const child = (inNamespace: string) =>
      put(state.endpointSlices.store, {
        apiVersion: 'discovery.k8s.io/v1',
        kind: 'EndpointSlice',
        metadata: {
          name: 'x',
          namespace: inNamespace,
          uid: `x-${inNamespace}`,
          labels: { [MODEL_LABEL]: 'llama' },
        },
        addressType: 'IPv4',
        endpoints: [],
      } as EndpointSlice);
    for (const change of [() => edit('stranger', 1), () => edit('stranger', 2), () => child('stranger')])
      expect(await concerned(change)).toEqual([]);
    for (const change of [() => edit('team', 1), () => edit('team', 2), () => child('team')])
      expect(await concerned(change)).toEqual(['platform/shared']);
  });
});

describe('a change of API keys', () => {
  it('concerns the pools that ask for keys and take those of its namespace', async () => {
    const { namespace, keys, concerned } = setUp();
    namespace('stranger');
    namespace('team', { tenant: 'yes' });
    expect(await concerned(() => keys('stranger', 'a'))).toEqual([]);
    expect(await concerned(() => keys('team', 'a'))).toEqual(['platform/shared']);
    expect(await concerned(() => keys('team', 'b'))).toEqual(['platform/shared']);
    expect(await concerned(() => keys('platform', 'a'))).toEqual(['platform/own', 'platform/shared']);
  });
});

describe('a change of a namespace', () => {
  it('concerns the pools that begin or cease to admit it', async () => {
    const { namespace, concerned } = setUp();
    namespace('team');
    expect(await concerned(() => namespace('team', {}, { note: 'x' }))).toEqual([]);
    expect(await concerned(() => namespace('team', { else: 'x' }))).toEqual([]);
    for (const tenant of ['yes', 'no'])
      expect(await concerned(() => namespace('team', { tenant }))).toEqual(['platform/shared']);
  });
});
