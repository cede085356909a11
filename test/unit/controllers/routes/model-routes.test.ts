import { describe, expect, it } from 'vitest';
import { ModelRoutes } from '../../../../operator/controllers/routes/model-routes.ts';
import { Lifecycles } from '../../../../operator/controllers/scaling/lifecycles.ts';
import { Departures } from '../../../../operator/controllers/shared/departures.ts';
import { Resolutions } from '../../../../operator/controllers/shared/resolutions.ts';
import type { Deployment, Pod, Service } from '../../../../operator/controllers/shared/workloads.ts';
import { type Logger, silentLogger } from '../../../../operator/kube/logger.ts';
import { engineLabels } from '../../../../operator/render/labels.ts';
import type { EndpointSlice } from '../../../../operator/router/endpoints-from-slices.ts';
import type { RouteModel } from '../../../../operator/router/route-table.ts';
import { aModel, aPool } from '../fixtures.ts';
import { anAcceptance, aState, put } from '../support.ts';

function setUp() {
  const state = aState();
  const lifecycles = new Lifecycles(state.models.store);
  const departures = new Departures(state.models.store);
  const acceptance = anAcceptance(state);
  const errors: object[] = [];
  const log = { ...silentLogger, error: (fields: object) => errors.push(fields) } as Logger;
  /** The routes as an operator has them that starts with the table of the one before it. */
  const another = (published: readonly RouteModel[] = []) => {
    const resolutions = new Resolutions(state);
    const made = new ModelRoutes({ state, resolutions, lifecycles, departures, acceptance, log });
    made.adopt({ models: published } as unknown as Parameters<ModelRoutes['adopt']>[0]);
    return made;
  };
  const routes = another();
  const pool = put(state.pools.store, aPool());
  for (const name of ['chat', 'other']) put(state.models.store, aModel(name));
  const all = async (of = pool): Promise<RouteModel[]> => {
    for (const model of state.models.store.list()) await acceptance.save(of, model);
    return routes.of(of);
  };
  const entry = async (name: string, of = pool): Promise<RouteModel | undefined> =>
    (await all(of)).find((route) => route.name === name);
  const metadata = {
    name: 'vllm-chat',
    namespace: 'platform',
    uid: 'child',
    labels: engineLabels({ name: 'chat', namespace: 'platform' }, pool.metadata),
  };
  return { state, lifecycles, acceptance, pool, all, entry, another, metadata, errors };
}

describe('an entry', () => {
  it('is the same object while its content does not change', async () => {
    const { state, entry } = setUp();
    const [chat, other] = [await entry('chat'), await entry('other')];
    expect(await entry('chat')).toBe(chat);
    // A status, as each start and stop writes several.
    put(state.models.store, {
      ...aModel('chat'),
      status: { observedGeneration: 1, conditions: [] },
    } as unknown as ReturnType<typeof aModel>);
    put(state.models.store, aModel('other', { responseCache: { enabled: false } }, { generation: 2 }));
    expect(await entry('chat')).toBe(chat);
    expect(await entry('other')).not.toBe(other);
    expect((await entry('other'))?.cache.enabled).toBe(false);
  });

  it('says that a budget of money stops its model, whatever its engines do', async () => {
    const { state, entry } = setUp();
    const condition = {
      type: 'WithinBudget',
      status: 'False',
      reason: 'BudgetExhausted',
      message: '',
    } as const;
    const model = aModel('chat');
    put(state.models.store, {
      ...model,
      status: { conditions: [{ ...condition, lastTransitionTime: '2026-11-28T00:00:00Z' }] },
    });
    expect(await entry('chat')).toMatchObject({
      state: 'Suspended',
      unavailable: { reason: 'BudgetExhausted' },
    });
    put(state.models.store, model);
    expect((await entry('chat'))?.unavailable).toBeUndefined();
  });

  it('follows the children and pods of its model', async () => {
    const { state, entry, metadata } = setUp();
    expect(await entry('chat')).toMatchObject({ state: 'Idle', endpoints: [] });
    const deployment: Deployment = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata,
      spec: { replicas: 1 },
    };
    put(state.deployments.store, deployment);
    expect((await entry('chat'))?.state).toBe('Starting');
    const pod: Pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { ...metadata, name: 'pod' },
      spec: {},
      status: { phase: 'Running', podIP: '10.0.0.1', conditions: [{ type: 'Ready', status: 'True' }] },
    } as unknown as Pod;
    put(state.pods.store, pod);
    expect((await entry('chat'))?.state).toBe('Serving');
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
    expect((await entry('chat'))?.endpoints.map(({ host }) => host)).toEqual(['10.0.0.1']);
    const service: Service = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata,
      spec: { clusterIP: '10.96.0.1', ports: [{ name: 'http', port: 8000 }] },
    };
    put(state.services.store, service);
    expect((await entry('chat'))?.fallback).toBeUndefined();
    const owner = {
      apiVersion: 'x',
      kind: 'InferenceModel',
      name: 'chat',
      uid: 'uid-chat',
      controller: true,
    };
    put(state.services.store, { ...service, metadata: { ...metadata, ownerReferences: [owner] } });
    expect((await entry('chat'))?.fallback).toEqual({ host: '10.96.0.1', port: 8000 });
    state.endpointSlices.store.remove(sent);
    expect((await entry('chat'))?.endpoints).toEqual([]);
  });

  it('turns requests away after a wake that failed, until it may be tried again', async () => {
    const { lifecycles, entry } = setUp();
    await entry('chat');
    const failure = {
      reason: 'Unschedulable' as const,
      message: 'no node',
      attempts: 1,
      retryAt: 1_000,
      retryable: false,
      generation: 1,
    };
    lifecycles.set('uid-chat', { phase: { is: 'Idle' }, failure });
    expect((await entry('chat'))?.unavailable).toEqual({ reason: 'Unschedulable', message: 'no node' });
    lifecycles.set('uid-chat', { phase: { is: 'Idle' }, failure: { ...failure, retryable: true } });
    expect((await entry('chat'))?.unavailable).toBeUndefined();
  });

  it('turns requests away while the number of replicas is fixed at zero, as nothing would end their wait', async () => {
    const { state, entry } = setUp();
    put(state.models.store, aModel('chat', { scaling: { replicas: 0 } }, { generation: 2 }));
    expect((await entry('chat'))?.unavailable).toMatchObject({ reason: 'NoReplicas' });
    put(
      state.models.store,
      aModel('chat', { scaling: { minReplicas: 0, maxReplicas: 1 } }, { generation: 3 }),
    );
    expect((await entry('chat'))?.unavailable).toBeUndefined();
  });

  it('follows the spec of the pool, and not its status', async () => {
    const { entry, pool } = setUp();
    const before = await entry('chat');
    expect(await entry('chat', { ...pool, status: {} } as typeof pool)).toBe(before);
    const spec = aPool({ responseCache: { ttl: '77s' } }).spec;
    const changed = { ...pool, metadata: { ...pool.metadata, generation: 2 }, spec };
    expect((await entry('chat', changed))?.cache.ttlSeconds).toBe(77);
  });

  it('keeps the entry of a previous leader while its content is the same', async () => {
    const { all, another, pool } = setUp();
    const published = structuredClone(await all());
    const next = another(published);
    expect(next.of(pool).every((route) => published.includes(route))).toBe(true);
  });
});

describe('a model that is refused', () => {
  const lora = (...names: string[]) => ({
    engine: { lora: { adapters: names.map((name) => ({ name, source: `org/${name}` })) } },
  });

  it('keeps its route, and takes no name from the one that has it', async () => {
    const { state, entry } = setUp();
    await entry('chat');
    const wrong = { model: { source: 'hf://a/b', servedNames: ['other'] } };
    put(
      state.models.store,
      aModel('chat', wrong, { generation: 2, creationTimestamp: '2025-01-01T00:00:00Z' }),
    );
    put(state.models.store, aModel('other', { priority: 5 }, { generation: 2 }));
    expect((await entry('other'))?.servedNames).toEqual(['other']);
    expect((await entry('chat'))?.servedNames).toEqual(['chat']);
  });

  it('drops adapters that are no longer granted, even if the last table has them', async () => {
    const { state, all, another, acceptance, pool } = setUp();
    put(state.models.store, aModel('chat', lora('golden'), { generation: 2 }));
    const published = structuredClone(await all());
    expect(published.find(({ name }) => name === 'chat')?.adapters).toEqual(['golden']);
    put(state.models.store, aModel('chat', lora('silver'), { generation: 3 }));
    await all();
    put(state.models.store, aModel('other', lora('golden'), { generation: 2 }));
    const wrong = { ...lora('other'), priority: 1 };
    put(state.models.store, aModel('chat', wrong, { generation: 4 }));
    for (const model of state.models.store.list()) await acceptance.save(pool, model);
    // The next leader finds a snapshot that is older than what it knows of names.
    const next = another(published);
    const adapters = next.of(pool).map(({ name, adapters: own }) => [name, own]);
    expect(adapters.sort()).toEqual([
      ['chat', []],
      ['other', ['golden']],
    ]);
  });

  it('keeps its adapters when another operator takes over', async () => {
    const { state, all, another, pool } = setUp();
    put(state.models.store, aModel('chat', lora('golden'), { generation: 2 }));
    const published = structuredClone(await all());
    put(state.models.store, aModel('chat', lora('golden', 'other'), { generation: 3 }));
    const next = another(published);
    expect(next.of(pool).find(({ name }) => name === 'chat')).toMatchObject({
      servedNames: ['chat'],
      adapters: ['golden'],
    });
  });

  it('has no route if it was never taken, and one as soon as what it asks for is free', async () => {
    const { state, entry } = setUp();
    await entry('other');
    put(state.models.store, aModel('late', { model: { source: 'hf://a/b', servedNames: ['other'] } }));
    expect(await entry('late')).toBeUndefined();
    put(
      state.models.store,
      aModel('other', { model: { source: 'hf://a/b', servedNames: ['more'] } }, { generation: 2 }),
    );
    expect((await entry('late'))?.servedNames).toEqual(['other']);
  });

  it('has no route under a name before it is written that it holds it', async () => {
    const { state, another, acceptance, pool } = setUp();
    const routes = another();
    expect(routes.of(pool)).toEqual([]);
    for (const model of state.models.store.list()) await acceptance.save(pool, model);
    expect(
      routes
        .of(pool)
        .map(({ name }) => name)
        .sort(),
    ).toEqual(['chat', 'other']);
  });
});

it('truncates the reason that clients get', async () => {
  const { state, lifecycles, entry } = setUp();
  await entry('chat');
  const message = `spec.template: ${'x'.repeat(32_000)}`;
  const conditions = [{ type: 'Stalled', status: 'True', reason: 'InvalidSpec', message }];
  put(state.models.store, { ...aModel('chat'), status: { conditions } } as unknown as ReturnType<
    typeof aModel
  >);
  expect((await entry('chat'))?.unavailable?.message).toHaveLength(1_024);
  const failure = { message, attempts: 1, retryAt: 1, retryable: false, generation: 1 };
  lifecycles.set('uid-other', { phase: { is: 'Idle' }, failure: { ...failure, reason: 'EngineCrashed' } });
  expect((await entry('other'))?.unavailable?.message).toHaveLength(1_024);
});

describe('a model that triggers a bug', () => {
  // No spec that the API server takes does that today (any-spec.test.ts); these stand for a mistake of ours.
  const broken = (field: 'admission' | 'model' | 'scaling' | 'engine', value: unknown) => {
    const model = aModel('chat', {}, { generation: 2 });
    return { ...model, spec: { ...model.spec, [field]: value } } as unknown as typeof model;
  };

  it.each<[string, ReturnType<typeof broken>]>([
    ['its admission rules', broken('admission', { queueTimeout: 'soon' })],
    ['its names', broken('model', { source: 'hf://a/b', servedNames: 5 })],
    ['its source', broken('model', {})],
    ['its schedules', broken('scaling', { schedules: 5 })],
    ['its engine', broken('engine', { extraArgs: 5 })],
  ])('because of %s holds up no other, and keeps its names', async (_, model) => {
    const { state, all, entry, errors, acceptance, pool } = setUp();
    await all();
    put(state.models.store, model);
    put(state.models.store, { ...model, metadata: aModel('worse').metadata });
    put(state.models.store, aModel('new', {}, { generation: 1 }));
    expect(await entry('other')).toMatchObject({ servedNames: ['other'] });
    expect(await entry('new')).toMatchObject({ servedNames: ['new'] });
    expect(acceptance.names(pool)(model)).toEqual(['chat']);
    await all();
    expect(errors.length).toBe(new Set(errors.map((error) => JSON.stringify(error))).size);
    expect(errors).toContainEqual(expect.objectContaining({ model: 'platform/chat' }));
  });
});
