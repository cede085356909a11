/** What is kept in memory of objects that any team may make, of any size and with any label. */
import { Registry } from 'prom-client';
import { afterEach, beforeEach, expect, it } from 'vitest';
import {
  createClusterState,
  MANAGED_BY_SELECTOR,
} from '../../../../operator/controllers/shared/cluster-state.ts';
import { silentLogger } from '../../../../operator/kube/logger.ts';
import type { KubeObject } from '../../../../operator/kube/object.ts';
import type { Reflector } from '../../../../operator/kube/reflector.ts';
import {
  CONFIG_MAPS,
  HORIZONTAL_POD_AUTOSCALERS,
  PERSISTENT_VOLUME_CLAIMS,
  PODS,
} from '../../../../operator/kube/resource-types.ts';
import { API_KEYS_LABEL } from '../../../../operator/router/api-keys.ts';
import { MiniApi } from '../../kube/support/mini-api.ts';

const MANAGED = Object.fromEntries([MANAGED_BY_SELECTOR.split('=')]) as Record<string, string>;
const BULK = 'x'.repeat(100_000);

let api: MiniApi;
beforeEach(async () => {
  api = await MiniApi.start();
});
afterEach(() => api.close());

/** The objects as the operator's local copy has them. */
async function kept<T extends KubeObject>(
  of: (state: ReturnType<typeof createClusterState>) => Reflector<T>,
): Promise<string> {
  const state = createClusterState({ client: api.client(), log: silentLogger, registry: new Registry() });
  const reflector = of(state);
  const stop = new AbortController();
  const running = reflector.run(stop.signal);
  await reflector.waitForSync();
  stop.abort();
  await running;
  return JSON.stringify(reflector.store.list());
}

it('is no data of ConfigMaps that are of no pool in their namespace', async () => {
  const configMap = (name: string, poolNamespace: string, kind: string, more = {}) =>
    api.store.put(CONFIG_MAPS, {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: {
        name,
        namespace: 'team-a',
        labels: { ...MANAGED, 'vllm-operator.dev/pool-namespace': poolNamespace },
        ownerReferences: [{ apiVersion: 'v1', kind, name: 'x', uid: 'x' }],
        ...more,
      },
      data: { file: `${name} ${BULK}` },
    } as unknown as KubeObject);
  configMap('pools', 'team-a', 'InferencePool');
  configMap('elsewhere', 'platform', 'InferencePool');
  configMap('unowned', 'team-a', 'ConfigMap');
  // The garbage collector has found that the owner does not exist, and a finalizer keeps it.
  configMap('collected', 'team-a', 'InferencePool', { deletionTimestamp: 'now', finalizers: ['a/b'] });
  const text = await kept((state) => state.configMaps);
  expect(['pools', 'elsewhere', 'unowned', 'collected'].filter((name) => text.includes(`${name} x`))).toEqual(
    ['pools'],
  );
  expect(text).toContain('unowned');
});

it('caches only the fields of pods that are read', async () => {
  api.store.put(PODS, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: 'pod',
      namespace: 'team-a',
      labels: { ...MANAGED, 'vllm-operator.dev/model': 'chat', bulk: BULK },
      annotations: { bulk: BULK, 'vllm-operator.dev/eviction-notice': 'spot' },
      ownerReferences: [
        { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'set', uid: 'set', controller: true },
        { apiVersion: 'v1', kind: BULK, name: 'x', uid: 'x' },
      ],
    },
    spec: {
      nodeName: 'node',
      containers: [
        { name: 'engine', image: 'vllm', args: [BULK], resources: { limits: { 'nvidia.com/gpu': '1' } } },
      ],
      volumes: [{ name: BULK }],
      tolerations: [{ key: 'spot' }],
    },
    status: {
      phase: 'Running',
      podIP: '10.0.0.1',
      message: BULK,
      conditions: [{ type: 'Ready', status: 'True' }],
    },
  } as unknown as KubeObject);
  const text = await kept((state) => state.pods);
  expect(text.length).toBeLessThan(2_000);
  expect(JSON.parse(text)).toMatchObject([
    {
      metadata: {
        labels: { 'vllm-operator.dev/model': 'chat' },
        annotations: { 'vllm-operator.dev/eviction-notice': 'spot' },
        ownerReferences: [{ uid: 'set' }],
      },
      spec: {
        nodeName: 'node',
        containers: [{ name: 'engine', image: 'vllm', resources: { limits: { 'nvidia.com/gpu': '1' } } }],
        tolerations: [{ key: 'spot' }],
      },
      status: { phase: 'Running', podIP: '10.0.0.1', conditions: [{ type: 'Ready', status: 'True' }] },
    },
  ]);
});

it('caches little of a pod, however much its team writes into the fields that are read', async () => {
  const many = Array.from({ length: 500 }, (_, i) => `${i}-${'x'.repeat(40)}`);
  const toAll = (prefix: string) => Object.fromEntries(many.map((name) => [`${prefix}${name}`, '1']));
  const container = { name: 'engine', image: BULK, resources: { limits: toAll('example.com/') } };
  const labels = { ...toAll('vllm-operator.dev/'), ...MANAGED, 'vllm-operator.dev/model': 'chat' };
  api.store.put(PODS, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: 'pod',
      namespace: 'team-a',
      labels,
      annotations: { ...toAll('vllm-operator.dev/'), 'vllm-operator.dev/eviction-notice': BULK },
      ownerReferences: [
        { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: BULK, uid: 'set', controller: true },
      ],
    },
    spec: {
      containers: many.slice(0, 40).map((name) => ({ ...container, name })),
      initContainers: many.slice(0, 40).map((name) => ({ ...container, name })),
      tolerations: many.map((key) => ({ key })),
    },
  } as unknown as KubeObject);
  const text = await kept((state) => state.pods);
  expect(text).toContain('"vllm-operator.dev/model":"chat"');
  expect(text.length).toBeLessThan(100_000);
});

it.each(['apiVersion', 'kind', 'name', 'uid'])(
  'caches no owner and no target of an autoscaler with a very long %s',
  async (field) => {
    const metadata = { name: 'x', namespace: 'team-a' };
    const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'set', uid: 'set', [field]: BULK };
    const ownerReferences = [{ ...owner, controller: true }];
    api.store.put(PODS, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { ...metadata, ownerReferences, labels: { ...MANAGED, 'vllm-operator.dev/model': 'chat' } },
      spec: {},
    } as unknown as KubeObject);
    api.store.put(HORIZONTAL_POD_AUTOSCALERS, {
      apiVersion: 'autoscaling/v2',
      kind: 'HorizontalPodAutoscaler',
      metadata,
      spec: { scaleTargetRef: owner },
    } as unknown as KubeObject);
    expect((await kept((state) => state.pods)).length).toBeLessThan(1_000);
    expect((await kept((state) => state.otherAutoscalers)).length).toBeLessThan(1_000);
  },
);

it('limits the data of ConfigMaps with API keys by namespace, however many there are', async () => {
  const configMap = (namespace: string, name: string, text: string) =>
    api.store.put(CONFIG_MAPS, {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: {
        name,
        namespace,
        labels: { [API_KEYS_LABEL]: 'true', bulk: BULK },
        ownerReferences: [{ apiVersion: 'v1', kind: BULK, name: 'x', uid: 'x' }],
        finalizers: [`example.com/${BULK}`],
      },
      data: { [name]: text },
    } as unknown as KubeObject);
  for (let i = 10; i < 60; i += 1) configMap('team-a', `keys-${i}`, BULK);
  configMap('team-b', 'keys', 'of team-b');
  const text = await kept((state) => state.apiKeys);
  expect(text.length).toBeLessThan(600_000);
  expect(text).toContain('of team-b');
  expect(text.match(/"oversized":true/g)).toHaveLength(45);
});

it.each([
  ['PersistentVolumeClaim', PERSISTENT_VOLUME_CLAIMS, 'userClaims'],
  ['HorizontalPodAutoscaler', HORIZONTAL_POD_AUTOSCALERS, 'otherAutoscalers'],
] as const)('caches nothing of a %s that a team can make large', async (kind, type, reflector) => {
  const owner = {
    apiVersion: 'keda.sh/v1alpha1',
    kind: 'ScaledObject',
    name: 'chat',
    uid: 'k',
    controller: true,
  };
  api.store.put(type, {
    apiVersion: 'v1',
    kind,
    metadata: {
      name: 'some',
      namespace: 'team-a',
      ownerReferences: [{ apiVersion: 'v1', kind: BULK, name: 'x', uid: 'x' }, owner],
      finalizers: [`example.com/${BULK}`],
    },
    spec: {
      accessModes: Array.from({ length: 1000 }, () => 'ReadWriteMany'),
      scaleTargetRef: { kind: 'Deployment', name: BULK },
    },
  } as unknown as KubeObject);
  const text = await kept<KubeObject>((state) => state[reflector] as Reflector<KubeObject>);
  expect(text.length).toBeLessThan(500);
  expect(text).toContain('"name":"chat"');
});
