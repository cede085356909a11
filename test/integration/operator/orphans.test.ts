/** What `kubectl delete --cascade` leaves of pools and models. Needs a garbage collector, which envtest does not have. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { INFERENCE_MODELS, INFERENCE_POOLS } from '../../../operator/api/types.ts';
import type { Deployment } from '../../../operator/controllers/shared/workloads.ts';
import type { KubeObject, ObjectKey, ResourceType } from '../../../operator/kube/object.ts';
import { DEPLOYMENTS, SERVICES } from '../../../operator/kube/resource-types.ts';
import { whichApiServer } from '../support/which-api-server.ts';
import { Harness, type RunningOperator } from './support/harness.ts';

let harness: Harness;
let operator: RunningOperator;

beforeAll(async () => {
  harness = await Harness.start();
  operator = await harness.startOperator();
});
afterAll(() => harness.close());

const SPEC = { scaling: { replicas: 2 } };

async function served(): Promise<string> {
  const namespace = await harness.namespace();
  await harness.createPool(namespace);
  await harness.createModel(namespace, 'chat', SPEC);
  await harness.untilCondition(namespace, 'chat', 'Accepted', 'True');
  await harness.until<Deployment>(DEPLOYMENTS, namespace, 'vllm-chat', 'has replicas', isTaken);
  await harness.settled(operator);
  return namespace;
}

/** Whether scaling owns the replicas, so that it might change them. */
function isTaken({ metadata }: KubeObject): boolean {
  return (
    (metadata.managedFields as { manager: string }[] | undefined)?.some(
      ({ manager }) => manager === 'vllm-operator-scaling',
    ) ?? false
  );
}

async function gone(type: ResourceType, key: ObjectKey): Promise<void> {
  await expect
    .poll(async () => (await harness.client.list(type, { namespace: key.namespace ?? '' })).items.length)
    .toBe(0);
}

const isOrphan = ({ metadata }: KubeObject) => (metadata.ownerReferences ?? []).length === 0;

describe.skipIf(whichApiServer() === 'envtest')('deletion with --cascade=orphan', () => {
  it('leaves the engines of a model as they are, and the same model adopts them again', async () => {
    const namespace = await served();
    const key = { namespace, name: 'chat' };
    const child = { namespace, name: 'vllm-chat' };
    const before = await harness.client.get<Deployment>(DEPLOYMENTS, child);
    // So that the operator sees the model while it is being deleted, however long that takes.
    const hold = { metadata: { finalizers: ['example.com/hold'] } };
    await harness.client.patch(INFERENCE_MODELS, key, { merge: hold });
    await harness.client.delete(INFERENCE_MODELS, key, { propagation: 'Orphan' });
    await harness.until(DEPLOYMENTS, namespace, 'vllm-chat', 'has no owner', isOrphan);
    await harness.settled(operator);
    await harness.client.patch(INFERENCE_MODELS, key, { merge: { metadata: { finalizers: null } } });
    await gone(INFERENCE_MODELS, key);
    await harness.settled(operator);
    const orphan = await harness.client.get<Deployment>(DEPLOYMENTS, child);
    expect(orphan.spec).toEqual(before.spec);

    const { metadata } = await harness.createModel(namespace, 'chat', SPEC);
    for (const type of [DEPLOYMENTS, SERVICES])
      await harness.until(type, namespace, 'vllm-chat', 'belongs to the new model', (object) =>
        Boolean(object.metadata.ownerReferences?.some(({ uid }) => uid === metadata.uid)),
      );
    await harness.untilCondition(namespace, 'chat', 'Accepted', 'True');
    await harness.settled(operator);
    const adopted = await harness.client.get<Deployment>(DEPLOYMENTS, child);
    expect(adopted.metadata.uid).toBe(before.metadata.uid);
    expect(adopted.spec).toEqual(before.spec);
  });

  it('leaves the routers of a pool that models use until the last is gone, and the same pool adopts them again', async () => {
    const namespace = await served();
    const key = { namespace, name: 'pool' };
    const child = { namespace, name: 'pool-router' };
    const before = await harness.client.get<Deployment>(DEPLOYMENTS, child);
    await harness.client.delete(INFERENCE_POOLS, key, { propagation: 'Orphan' });
    await harness.until(DEPLOYMENTS, namespace, child.name, 'has no owner', isOrphan);
    // A change that makes the operator look at the pool again.
    await harness.createModel(namespace, 'other');
    await harness.settled(operator);
    expect((await harness.client.get(DEPLOYMENTS, child)).metadata.ownerReferences ?? []).toEqual([]);
    for (const name of ['chat', 'other']) await harness.client.delete(INFERENCE_MODELS, { namespace, name });
    await gone(INFERENCE_POOLS, key);
    await harness.settled(operator);
    expect((await harness.client.get(DEPLOYMENTS, child)).metadata.uid).toBe(before.metadata.uid);

    const { metadata } = await harness.createPool(namespace);
    for (const type of [DEPLOYMENTS, SERVICES])
      await harness.until(type, namespace, child.name, 'belongs to the new pool', (object) =>
        Boolean(object.metadata.ownerReferences?.some(({ uid }) => uid === metadata.uid)),
      );
    expect((await harness.client.get(DEPLOYMENTS, child)).metadata.uid).toBe(before.metadata.uid);
  });
});

describe.skipIf(whichApiServer() === 'envtest')('deletion with --cascade=foreground', () => {
  it('of a pool that models use deletes its routers at once, and makes them again', async () => {
    const namespace = await served();
    const child = { namespace, name: 'pool-router' };
    const { metadata } = await harness.client.get(DEPLOYMENTS, child);
    await harness.client.delete(INFERENCE_POOLS, { namespace, name: 'pool' }, { propagation: 'Foreground' });
    await harness.until(
      DEPLOYMENTS,
      namespace,
      child.name,
      'is another',
      ({ metadata: { uid } }) => uid !== metadata.uid,
    );
    await harness.client.delete(INFERENCE_MODELS, { namespace, name: 'chat' });
    await gone(INFERENCE_POOLS, { namespace, name: 'pool' });
  });
});
