import { describe, expect, it } from 'vitest';
import { AcceptanceCache } from '../../../operator/controllers/acceptance-cache.ts';
import { ModelRoutes } from '../../../operator/controllers/model-routes.ts';
import { ScalingMemories } from '../../../operator/controllers/scaling-memory.ts';
import type { Deployment, Pod, Service } from '../../../operator/controllers/workloads.ts';
import { engineLabels } from '../../../operator/render/labels.ts';
import type { EndpointSlice } from '../../../operator/router/endpoints-from-slices.ts';
import type { RouteModel } from '../../../operator/router/route-table.ts';
import { FakeClock } from '../kube/support/fake-clock.ts';
import { aModel, aPool } from './fixtures.ts';
import { aState, put } from './support.ts';

function setUp() {
  const state = aState();
  const clock = new FakeClock();
  const memories = new ScalingMemories();
  const routes = new ModelRoutes({ state, clock, memories, acceptance: new AcceptanceCache(state) });
  const pool = put(state.pools.store, aPool());
  for (const name of ['chat', 'other']) put(state.models.store, aModel(name));
  const entry = (name: string, of = pool): RouteModel | undefined =>
    routes.of(of).find((route) => route.name === name);
  const metadata = {
    name: 'vllm-chat',
    namespace: 'platform',
    uid: 'child',
    labels: engineLabels({ name: 'chat', namespace: 'platform' }, pool.metadata),
  };
  return { state, clock, memories, routes, pool, entry, metadata };
}

describe('an entry', () => {
  it('is the same object while nothing that it tells has changed', () => {
    const { state, entry } = setUp();
    const [chat, other] = [entry('chat'), entry('other')];
    expect(entry('chat')).toBe(chat);
    // A status, as each start and stop writes several.
    put(state.models.store, {
      ...aModel('chat'),
      status: { observedGeneration: 1, conditions: [] },
    } as unknown as ReturnType<typeof aModel>);
    put(state.models.store, aModel('other', { responseCache: { enabled: false } }, { generation: 2 }));
    expect(entry('chat')).toBe(chat);
    expect(entry('other')).not.toBe(other);
    expect(entry('other')?.cache.enabled).toBe(false);
  });

  it('follows the children and pods of its model', () => {
    const { state, entry, metadata } = setUp();
    expect(entry('chat')).toMatchObject({ state: 'Idle', endpoints: [] });
    const deployment: Deployment = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata,
      spec: { replicas: 1 },
    };
    put(state.deployments.store, deployment);
    expect(entry('chat')?.state).toBe('Starting');
    const pod: Pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { ...metadata, name: 'pod' },
      spec: {},
      status: { phase: 'Running', podIP: '10.0.0.1', conditions: [{ type: 'Ready', status: 'True' }] },
    } as unknown as Pod;
    put(state.pods.store, pod);
    expect(entry('chat')?.state).toBe('Serving');
    const slice: EndpointSlice = {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { ...metadata, name: 'slice' },
      addressType: 'IPv4',
      ports: [{ name: 'http', port: 8000 }],
      endpoints: [
        { addresses: ['10.0.0.1'], conditions: { ready: true }, targetRef: { uid: 'child' } },
        { addresses: ['169.254.169.254'], conditions: { ready: true }, targetRef: { uid: 'child' } },
      ],
    };
    const sent = put(state.endpointSlices.store, slice);
    expect(entry('chat')?.endpoints.map(({ address }) => address)).toEqual(['10.0.0.1:8000']);
    const service: Service = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata,
      spec: { clusterIP: '10.96.0.1', ports: [{ name: 'http', port: 8000 }] },
    };
    put(state.services.store, service);
    expect(entry('chat')?.fallback).toBeUndefined();
    const owner = {
      apiVersion: 'x',
      kind: 'InferenceModel',
      name: 'chat',
      uid: 'uid-chat',
      controller: true,
    };
    put(state.services.store, { ...service, metadata: { ...metadata, ownerReferences: [owner] } });
    expect(entry('chat')?.fallback).toBe('10.96.0.1:8000');
    state.endpointSlices.store.remove(sent);
    expect(entry('chat')?.endpoints).toEqual([]);
  });

  it('follows what scaling remembers, and the end of a back-off by time alone', async () => {
    const { memories, entry, clock } = setUp();
    const memory = memories.of('uid-chat');
    entry('chat');
    memory.failure = { reason: 'Unschedulable', message: 'no node', since: 0, retryAt: 1_000 };
    expect(entry('chat')?.unavailable).toEqual({ reason: 'Unschedulable', message: 'no node' });
    await clock.advance(1_000);
    expect(entry('chat')?.unavailable).toBeUndefined();
  });

  it('turns requests away while the number of replicas is fixed at zero, as nothing would end their wait', () => {
    const { state, entry } = setUp();
    put(state.models.store, aModel('chat', { scaling: { replicas: 0 } }, { generation: 2 }));
    expect(entry('chat')?.unavailable).toMatchObject({ reason: 'NoReplicas' });
    put(
      state.models.store,
      aModel('chat', { scaling: { minReplicas: 0, maxReplicas: 1 } }, { generation: 3 }),
    );
    expect(entry('chat')?.unavailable).toBeUndefined();
  });

  it('follows the spec of the pool, and not its status', () => {
    const { entry, pool } = setUp();
    const before = entry('chat');
    expect(entry('chat', { ...pool, status: {} } as typeof pool)).toBe(before);
    const spec = aPool({ responseCache: { ttl: '77s' } }).spec;
    const changed = { ...pool, metadata: { ...pool.metadata, generation: 2 }, spec };
    expect(entry('chat', changed)?.cache.ttlSeconds).toBe(77);
  });

  it('keeps what another operator published for as long as it says the same', () => {
    const { routes, state, memories, clock, pool } = setUp();
    const published = structuredClone(routes.of(pool));
    const next = new ModelRoutes({ state, memories, clock, acceptance: new AcceptanceCache(state) });
    next.adopt({ models: published } as unknown as Parameters<ModelRoutes['adopt']>[0]);
    expect(next.of(pool).every((route) => published.includes(route))).toBe(true);
  });
});

describe('a model that is refused', () => {
  it('keeps its route, but for a name that another has by then', () => {
    const { state, entry } = setUp();
    entry('chat');
    put(
      state.models.store,
      aModel('chat', { model: { source: 'hf://a/b', servedNames: ['other'] } }, { generation: 2 }),
    );
    put(state.models.store, {
      ...aModel('other'),
      status: { conditions: [{ type: 'Accepted', status: 'True', observedGeneration: 1 }] },
    } as unknown as ReturnType<typeof aModel>);
    expect(entry('other')?.servedNames).toEqual(['other']);
    expect(entry('chat')?.servedNames).toEqual(['chat']);
  });

  it('is routed again once the other one goes, though its own object has not changed', () => {
    const { state, entry } = setUp();
    const accepted = { conditions: [{ type: 'Accepted', status: 'True', observedGeneration: 1 }] };
    const other = put(state.models.store, { ...aModel('other'), status: accepted } as unknown as ReturnType<
      typeof aModel
    >);
    put(state.models.store, aModel('late', { model: { source: 'hf://a/b', servedNames: ['other'] } }));
    expect(entry('late')).toBeUndefined();
    state.models.store.remove(other);
    expect(entry('late')?.servedNames).toEqual(['other']);
  });
});
