/** Routers that something else scales: the operator never overrules it, and nothing falls to one replica on the way. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { INFERENCE_POOLS } from '../../../operator/api/types.ts';
import type { Deployment } from '../../../operator/controllers/shared/workloads.ts';
import type { KubeObject } from '../../../operator/kube/object.ts';
import { DEPLOYMENTS, HORIZONTAL_POD_AUTOSCALERS } from '../../../operator/kube/resource-types.ts';
import { Harness, type RunningOperator } from './support/harness.ts';

let harness: Harness;
let operator: RunningOperator;

beforeAll(async () => {
  harness = await Harness.start();
  operator = await harness.startOperator();
});
afterAll(() => harness.close());

/** No cluster has room for the pods. */
const resources = { requests: { cpu: '9999' } };
const cache = { responseCache: { enabled: false } };

async function setRouter(namespace: string, router: object): Promise<void> {
  await harness.client.patch(INFERENCE_POOLS, { namespace, name: 'pool' }, { merge: { spec: { router } } });
}

async function routers(namespace: string): Promise<Deployment> {
  return await harness.client.get<Deployment>(DEPLOYMENTS, { namespace, name: 'pool-router' });
}

async function replicas(namespace: string): Promise<number | undefined> {
  return (await routers(namespace)).spec.replicas;
}

async function scaleTo(namespace: string, wanted: number): Promise<void> {
  const key = { namespace, name: 'pool-router' };
  const merge = { spec: { replicas: wanted } };
  await harness.client.patch(
    DEPLOYMENTS,
    key,
    { merge },
    { subresource: 'scale', fieldManager: 'autoscaler' },
  );
}

async function autoscalers(namespace: string): Promise<KubeObject[]> {
  return (await harness.client.list(HORIZONTAL_POD_AUTOSCALERS, { namespace })).items;
}

const exists = (): boolean => true;

it('start with the minimum, and stay where an autoscaler puts them', async () => {
  const namespace = await harness.namespace();
  const autoscaling = { mode: 'External', minReplicas: 3, maxReplicas: 8 };
  await harness.createPool(namespace, { ...cache, router: { resources, autoscaling } });
  await harness.until(DEPLOYMENTS, namespace, 'pool-router', 'exists', exists);
  expect(await replicas(namespace)).toBe(3);
  await harness.settled(operator);

  await scaleTo(namespace, 6);
  const { generation = 0 } = (await routers(namespace)).metadata;
  await setRouter(namespace, { labels: { changed: 'yes' } });
  await harness.until(
    DEPLOYMENTS,
    namespace,
    'pool-router',
    'has the new label',
    ({ metadata }) => (metadata.generation ?? 0) > generation,
  );
  expect(await replicas(namespace)).toBe(6);
  expect(await autoscalers(namespace)).toEqual([]);
});

it('keep their number when autoscaling begins, and get their own back when it ends', async () => {
  const namespace = await harness.namespace();
  await harness.createPool(namespace, { ...cache, router: { resources, replicas: 4 } });
  await harness.until(DEPLOYMENTS, namespace, 'pool-router', 'exists', exists);
  await harness.settled(operator);
  const before = await routers(namespace);

  await setRouter(namespace, { autoscaling: { maxReplicas: 9, targetCPUUtilization: 60 } });
  await harness.until(HORIZONTAL_POD_AUTOSCALERS, namespace, 'pool-router', 'exists', exists);
  await harness.settled(operator);
  const { metadata, spec } = await routers(namespace);
  expect(spec).toEqual(before.spec);
  // One generation, for the operator's annotation: the number has not even been something else for a moment.
  expect(metadata.generation).toBe((before.metadata.generation ?? 0) + 1);
  expect(await autoscalers(namespace)).toMatchObject([
    { spec: { scaleTargetRef: { kind: 'Deployment', name: 'pool-router' }, minReplicas: 2, maxReplicas: 9 } },
  ]);

  await setRouter(namespace, { autoscaling: null, replicas: 2 });
  await expect.poll(() => replicas(namespace), { message: 'there are two again' }).toBe(2);
  await expect.poll(() => autoscalers(namespace), { message: 'the autoscaler is gone' }).toEqual([]);
});
