import { describe, expect, it } from 'vitest';
import { inferenceModelSpec } from '../../../operator/api/inference-model.ts';
import { inferencePoolSpec } from '../../../operator/api/inference-pool.ts';
import type { InferenceModel, InferencePool } from '../../../operator/api/types.ts';
import {
  compileRouteModel,
  compileRouteTable,
  type RouteModelInput,
  type RouteTableInput,
  snapshot,
} from '../../../operator/router/compile-route-table.ts';
import type { EndpointSlice } from '../../../operator/router/endpoints-from-slices.ts';
import { routeTable } from '../../../operator/router/protocol.ts';
import { resolved } from '../model/support/resolve.ts';
import { model as aModelOf, pool as aPoolOf } from '../render/support/objects.ts';

const NOW = 1_790_000_000_000;

function pool(spec: object = {}): InferencePool {
  return {
    apiVersion: 'vllm-operator.dev/v1alpha1',
    kind: 'InferencePool',
    metadata: { name: 'a100', namespace: 'platform', uid: 'pool-uid' },
    spec: inferencePoolSpec.parse({ accelerator: { type: 'A100' }, ...spec }),
  };
}

function model(name: string, spec: object = {}): InferenceModel {
  return {
    apiVersion: 'vllm-operator.dev/v1alpha1',
    kind: 'InferenceModel',
    metadata: {
      name,
      namespace: 'team-a',
      uid: `uid-${name}`,
      generation: 3,
      creationTimestamp: '2026-01-01T00:00:00Z',
    },
    spec: inferenceModelSpec.parse({
      poolRef: { name: 'a100', namespace: 'platform' },
      model: { source: 'hf://meta-llama/Llama-3.1-8B-Instruct' },
      ...spec,
    }),
  };
}

function sliceOf(...ips: string[]): EndpointSlice {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: 'slice', namespace: 'team-a' },
    addressType: 'IPv4',
    ports: [{ name: 'http', port: 8000 }],
    endpoints: ips.map((ip) => ({ addresses: [ip], conditions: { ready: true } })),
  };
}

function served(object: InferenceModel, overrides: Partial<RouteModelInput> = {}): RouteModelInput {
  return {
    model: object,
    engine: { servedNames: [object.metadata.name], adapters: [], capacity: 64 },
    slices: [sliceOf('10.0.0.1')],
    service: { spec: { clusterIP: '10.96.0.7', ports: [{ name: 'http', port: 8000 }] } },
    state: 'Serving',
    ...overrides,
  };
}

type Input = Omit<RouteTableInput, 'models'> & { models: readonly RouteModelInput[] };

function compile(overrides: Partial<Input> = {}) {
  const input: Input = { pool: pool(), models: [], keys: [], now: NOW, ...overrides };
  const table = compileRouteTable({
    ...input,
    models: input.models.map((each) => compileRouteModel(input.pool, each)),
  });
  // What routers would refuse is never compiled.
  expect(routeTable.safeParse(table).error).toBeUndefined();
  return table;
}
const key = { sha256: 'ab'.repeat(32), tenant: 'team-a' };
const redis = { host: '10.96.0.9', port: 6379, username: 'router', password: 'secret' };

describe('compileRouteTable', () => {
  it('gives no name to two models when one of them gets it later', () => {
    const young = model('a');
    young.metadata.creationTimestamp = '2026-02-01T00:00:00Z';
    const previous = compile({ models: [served(young), served(model('b'))] });
    const engine = { servedNames: ['a', 'b'], adapters: [], capacity: 1 };
    const table = compile({ models: [served(young, { engine }), served(model('b'))], previous });
    expect(table.models.map(({ servedNames }) => servedNames)).toEqual([['a'], ['b']]);
    // The table before says less of it than the model does.
    const again = compile({ models: [served(young, { engine }), served(model('b'))], previous: table });
    expect(again).toBe(table);
  });

  it('gives no name to two models, so that no router has to choose', () => {
    const young = model('a');
    young.metadata.creationTimestamp = '2026-02-01T00:00:00Z';
    const engine = { servedNames: ['b', 'own'], adapters: ['sql'], capacity: 1 };
    const table = compile({
      models: [served(young, { engine }), served(model('b')), served(model('sql'))],
    });
    expect(table.models.map(({ servedNames, adapters }) => [servedNames, adapters])).toEqual([
      [['own'], []],
      [['b'], []],
      [['sql'], []],
    ]);
  });

  it('distinguishes engine settings of the pool, so that cached responses of other settings are not used', () => {
    const engineOf = (engine: object) =>
      compile({ pool: pool({ engine }), models: [served(model('llama'))] }).models[0]?.engine;
    expect(engineOf({ maxModelLen: 1024 })).not.toBe(engineOf({ maxModelLen: 2048 }));
    expect(engineOf({ maxModelLen: 1024 })).toBe(engineOf({ maxModelLen: 1024 }));
  });

  it('distinguishes the profile that a model uses, and leaves its cached responses when the pool gets others', () => {
    const profile = (name: string, maxNumSeqs: number) => ({ name, settings: { batching: { maxNumSeqs } } });
    const engineOf = (...profiles: object[]) =>
      compile({
        pool: pool({ engine: { profiles } }),
        models: [served(model('llama', { engine: { profile: 'a' } }))],
      }).models[0]?.engine;
    expect(engineOf(profile('a', 1))).toBe(engineOf(profile('b', 2), profile('a', 1)));
    expect(engineOf(profile('a', 1))).not.toBe(engineOf(profile('a', 2)));
  });

  const engineOf = (spec: object) => compile({ models: [served(model('llama', spec))] }).models[0]?.engine;
  it.each([
    { model: { source: 'hf://meta-llama/Llama-3.1-70B-Instruct' } },
    { engine: { dtype: 'float16' } },
    { template: { env: [{ name: 'VLLM_USE_V1', value: '1' }] } },
  ])('distinguishes what a model sets for its engines, as %j', (spec) => {
    expect(engineOf(spec)).not.toBe(engineOf({}));
  });
  it.each([
    { scaling: { minReplicas: 0, maxReplicas: 4 } },
    { scaling: { mode: 'External', replicas: 3, minReplicas: 1, maxReplicas: 4 } },
    { admission: { maxQueue: 7 } },
    { responseCache: { ttl: '5m' } },
    { priority: 7 },
    { suspend: true },
  ])('leaves a model its cached responses when it gets %j', (spec) => {
    expect(engineOf(spec)).toBe(engineOf({}));
  });

  it('has everything a router needs, in full', () => {
    const llama = model('llama', {
      responseCache: { ttl: '1h' },
      admission: {
        maxQueue: 10,
        degradation: [
          { queueAbove: 5, maxTokens: 512 },
          { queueAbove: 50, p95Above: '2s', inFlightPercent: 80 },
          { p95Above: '1m', maxTokens: 128, maxPromptTokens: 4096 },
        ],
      },
    });
    const table = compile({
      pool: pool({ router: { auth: { mode: 'APIKey' }, loadBalancing: 'LeastRequests' } }),
      models: [
        served(llama, {
          engine: {
            servedNames: ['llama', 'llama-3.1-8b'],
            adapters: ['sql'],
            capacity: 64,
            maxModelLen: 32768,
          },
          slices: [sliceOf('10.0.0.2', '10.0.0.1')],
        }),
      ],
      redis,
      keys: [key],
    });
    expect(table).toEqual({
      version: NOW,
      pool: { namespace: 'platform', name: 'a100' },
      loadBalancing: 'LeastRequests',
      auth: 'APIKey',
      redis,
      cacheMaxEntryBytes: 1048576,
      keys: [key],
      models: [
        {
          uid: 'uid-llama',
          namespace: 'team-a',
          name: 'llama',
          engine: expect.stringMatching(/^[0-9a-f]+$/),
          created: 1767225600,
          servedNames: ['llama', 'llama-3.1-8b'],
          adapters: ['sql'],
          maxModelLen: 32768,
          state: 'Serving',
          endpoints: [
            { host: '10.0.0.1', port: 8000, capacity: 64, draining: false },
            { host: '10.0.0.2', port: 8000, capacity: 64, draining: false },
          ],
          fallback: { host: '10.96.0.7', port: 8000 },
          cache: { enabled: true, ttlSeconds: 3600, policy: 'Deterministic' },
          admission: {
            maxQueue: 10,
            queueTimeoutMs: 30_000,
            wakeTimeoutMs: 900_000,
            degradation: [
              { p95AboveMs: 60_000, maxTokens: 128, maxPromptTokens: 4096, inFlightPercent: 80 },
              { queueAbove: 50, p95AboveMs: 2000, maxTokens: 512, inFlightPercent: 80 },
              { queueAbove: 5, maxTokens: 512 },
            ],
          },
        },
      ],
    });
  });

  it('takes from the pool what a model does not override, field by field', () => {
    const settings = pool({
      responseCache: { enabled: false, ttl: '90s', policy: 'All' },
      admission: {
        maxQueue: 1,
        queueTimeout: '1500ms',
        wakeTimeout: '1h30m',
        degradation: [{ queueAbove: 0, maxTokens: 9 }],
      },
    });
    const [plain, own] = compile({
      pool: settings,
      models: [
        served(model('a')),
        served(
          model('b', {
            responseCache: { enabled: true },
            admission: { degradation: [], queueTimeout: '2s' },
          }),
        ),
      ],
    }).models;
    expect(plain?.cache).toEqual({ enabled: false, ttlSeconds: 90, policy: 'All' });
    expect(plain?.admission).toEqual({
      maxQueue: 1,
      queueTimeoutMs: 1500,
      wakeTimeoutMs: 5_400_000,
      degradation: [{ queueAbove: 0, maxTokens: 9 }],
    });
    // A pool that is off has no cache to turn on.
    expect(own?.cache).toEqual({ enabled: false, ttlSeconds: 90, policy: 'All' });
    expect(own?.admission).toEqual({ ...plain?.admission, queueTimeoutMs: 2000, degradation: [] });
  });

  it('has a batching window where pool or model ask for one, also if an older definition stored the pool', () => {
    const windows = (admission: object, ...own: object[]) => {
      const models = own.map((of, i) => served(model(`m${i}`, { admission: of })));
      return compile({ pool: pool({ admission }), models }).models.map((one) => one.admission.batchWindow);
    };
    expect(windows({}, {}, { batchWindow: '20ms' })).toEqual([undefined, { lengthMs: 20, maxP95Ms: 2000 }]);
    expect(
      windows(
        { batchWindow: '50ms', batchWindowMaxP95: '1m' },
        {},
        { batchWindow: '0ms' },
        { batchWindowMaxP95: '3s' },
      ),
    ).toEqual([{ lengthMs: 50, maxP95Ms: 60_000 }, undefined, { lengthMs: 50, maxP95Ms: 3000 }]);
  });

  it('has bounds of adaptive concurrency of the model, else of the pool, unless they are off', () => {
    const boundsOf = (ofPool?: object, ofModel?: object) =>
      compile({
        pool: pool({ admission: { ...(ofPool && { adaptiveConcurrency: ofPool }) } }),
        models: [served(model('a', { admission: { ...(ofModel && { adaptiveConcurrency: ofModel }) } }))],
      }).models[0]?.admission.adaptiveConcurrency;
    expect(boundsOf()).toBeUndefined();
    expect(boundsOf({})).toEqual({ min: 32, max: 64 });
    expect(boundsOf({ min: 8 })).toEqual({ min: 8, max: 64 });
    expect(boundsOf({ min: 8 }, { max: 128 })).toEqual({ min: 32, max: 128 });
    expect(boundsOf(undefined, {})).toEqual({ min: 32, max: 64 });
    expect(boundsOf({}, { enabled: false })).toBeUndefined();
    expect(boundsOf({ enabled: false })).toBeUndefined();
  });

  it.each([
    ['no Service yet', undefined, undefined],
    ['a headless one', { spec: { clusterIP: 'None', ports: [{ name: 'http', port: 8000 }] } }, undefined],
    ['no address yet', { spec: { ports: [{ name: 'http', port: 8000 }] } }, undefined],
    ['no port of that name', { spec: { clusterIP: '10.96.0.1', ports: [{ port: 8000 }] } }, undefined],
    [
      'IPv6',
      { spec: { clusterIP: 'fd00::7', ports: [{ name: 'http', port: 80 }] } },
      { host: '[fd00::7]', port: 80 },
    ],
  ])('falls back to the Service: %s', (_case, service, expected) => {
    expect(compile({ models: [served(model('a'), { service })] }).models[0]?.fallback).toEqual(expected);
  });

  it('contains the reason why a model cannot serve, and the context length only if it is a number', () => {
    const unavailable = { reason: 'ImagePullBackOff', message: 'cannot pull' };
    const source = 'hf://meta-llama/Llama-3.1-8B-Instruct';
    const { engine } = resolved(aPoolOf('A100'), aModelOf(source, { engine: { maxModelLen: 'auto' } }));
    const [route] = compile({
      models: [served(model('a'), { state: 'Starting', slices: [], unavailable, engine })],
    }).models;
    expect(route).toMatchObject({ state: 'Starting', endpoints: [], unavailable });
    expect(route).not.toHaveProperty('maxModelLen');
  });

  it('says of other origins what the pool does, and lists as headers have them', () => {
    const allowOrigins = ['https://app.example.com'];
    expect(compile({})).not.toHaveProperty('cors');
    expect(compile({ pool: pool({ router: { cors: { allowOrigins } } }) }).cors).toEqual({
      allowOrigins,
      allowCredentials: false,
      exposeHeaders: 'X-Request-Id, X-Cache, X-Degraded, Retry-After',
      maxAge: 5,
    });
    const cors = {
      allowOrigins,
      allowMethods: ['GET', 'POST'],
      allowHeaders: ['Authorization', 'Content-Type'],
      exposeHeaders: [],
      maxAge: 60,
    };
    expect(compile({ pool: pool({ router: { cors } }) }).cors).toEqual({
      allowOrigins,
      allowCredentials: false,
      allowMethods: 'GET, POST',
      allowHeaders: 'Authorization, Content-Type',
      maxAge: 60,
    });
  });

  it('says where spans go, also in the snapshot, and which share of requests is traced', () => {
    expect(compile({})).not.toHaveProperty('tracing');
    const tracing = { endpoint: 'http://collector.observability:4318', samplingPercent: '2.5' };
    const traced = compile({ pool: pool({ tracing }) });
    const expected = {
      host: 'collector.observability',
      port: 4318,
      path: '/v1/traces',
      samplingRatio: 0.025,
    };
    expect(traced.tracing).toEqual(expected);
    expect(snapshot(traced).tracing).toEqual(expected);
  });

  it('sends no keys to routers that do not ask for any', () => {
    expect(compile({ keys: [key] }).keys).toEqual([]);
  });
});

describe('versions', () => {
  const models = [served(model('a')), served(model('b'))];
  const first = compile({ models });

  it('keeps the table itself while nothing changes, whatever the order of input and the time', () => {
    const again = compile({
      models: [...models].reverse().map((input) => structuredClone(input)),
      previous: first,
      now: NOW + 60_000,
    });
    expect(again).toBe(first);
  });

  it('is the time of a change', () => {
    const changed = compile({ models: models.slice(1), previous: first, now: NOW + 5 });
    expect(changed.version).toBe(NOW + 5);
  });

  it('grows even if the clock went back or two changes fall into one millisecond', () => {
    expect(compile({ models: [], previous: first, now: NOW - 60_000 }).version).toBe(NOW + 1);
    expect(compile({ models: [], previous: first, now: NOW }).version).toBe(NOW + 1);
  });

  it.each<[string, Partial<Input>]>([
    ['an endpoint', { models: [served(model('a'), { slices: [sliceOf('10.0.0.9')] }), served(model('b'))] }],
    ['a state', { models: [served(model('a'), { state: 'Draining' }), served(model('b'))] }],
    ['a password', { redis }],
    ['a pool setting', { pool: pool({ responseCache: { maxEntrySize: '2Mi' } }) }],
  ])('changes with %s', (_what, change) => {
    expect(compile({ models, previous: first, now: NOW + 1, ...change }).version).toBe(NOW + 1);
  });
});

describe('snapshot', () => {
  it('has the routes and no secret, also none that a later field would bring', () => {
    const table = { ...compile({ models: [served(model('a'))], redis }), laterSecret: 'secret' };
    const published = snapshot(table);
    expect(JSON.stringify(published)).not.toContain('secret');
    expect(published).toMatchObject({ version: NOW, models: table.models });
    const cors = { allowOrigins: ['*'] };
    expect(snapshot(compile({ pool: pool({ router: { cors } }) })).cors).toMatchObject(cors);
  });
});
