/** What a template may say, with pods that run: on nodes without accelerators, with containers beside the engine. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { KubeObject } from '../../operator/kube/object.ts';
import { CONFIG_MAPS } from '../../operator/kube/resource-types.ts';
import { ask } from './support/traffic.ts';
import { World } from './support/world.ts';

let world: World;

beforeAll(async () => {
  world = await World.start({ nodes: [{ name: 'cpu-0' }] });
});
afterAll(() => world?.close());

it('a pool without accelerators serves a model, with an init container, a sidecar and variables of a ConfigMap', async () => {
  const namespace = await world.namespace({ 'pod-security.kubernetes.io/enforce': 'restricted' });
  await world.client.create(CONFIG_MAPS, {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { namespace, name: 'variables' },
    data: { FROM_MAP: 'yes' },
  } as KubeObject);
  await world.createPool(namespace, {
    accelerator: { type: 'CPU', cpu: { cores: 1, memoryGiB: 6 } },
    router: { replicas: 1, annotations: { 'example.com/team': 'a' }, tolerations: [{ operator: 'Exists' }] },
    responseCache: { enabled: false },
    engine: { command: ['env', 'vllm'], maxModelLen: 4096 },
    userIds: 'Platform',
  });
  await world.createModel(namespace, 'small', {
    engine: { image: 'vllm/vllm-openai-cpu:v0.28.0' },
    template: {
      envFrom: [{ configMapRef: { name: 'variables' } }],
      volumes: [{ name: 'shared', emptyDir: {} }],
      initContainers: [
        { name: 'check', image: 'busybox', command: ['sh', '-c', 'exit 0'] },
        {
          name: 'sidecar',
          image: 'busybox',
          command: ['sleep', 'infinity'],
          restartPolicy: 'Always',
          resources: { requests: { cpu: '100m' } },
        },
      ],
    },
  });
  await world.poolReady(namespace);
  await world.modelReady(namespace, 'small');
  expect(await ask(await world.openai(namespace), 'small')).toBeTruthy();

  const [pod] = await world.pods(namespace, 'engine', 'small');
  expect(pod?.spec).toMatchObject({
    initContainers: [{ name: 'check' }, { name: 'sidecar' }],
    containers: [{ name: 'engine', envFrom: [{ configMapRef: { name: 'variables' } }] }],
  });
  // 6 - 1 (shm) - 0.9 (weights) - 2.5 (processes), in whole GiB.
  expect(JSON.stringify(pod?.spec)).toContain('{"name":"VLLM_CPU_KVCACHE_SPACE","value":"1"}');
  expect(await world.errors()).toEqual([]);
});
