import { afterAll, beforeAll, expect, test } from 'vitest';
import { REVISION } from '../../../hack/devcluster/controllers/workload.ts';
import type { Deployment, Pod, ReplicaSet } from '../../../hack/devcluster/kinds.ts';
import {
  DEPLOYMENTS,
  EVENTS,
  POD_DISRUPTION_BUDGETS,
  PODS,
  REPLICA_SETS,
} from '../../../operator/kube/resource-types.ts';
import { deploymentOf, server, TestCluster } from './support/test-cluster.ts';

let cluster: TestCluster;
let namespace: string;

beforeAll(async () => {
  cluster = await TestCluster.start({ gpus: { 'NVIDIA-L4': 2 } });
  namespace = await cluster.namespace('workloads');
});
afterAll(() => cluster.close());

const READINESS = { httpGet: { path: '/healthz', port: 'http' }, periodSeconds: 1 };

async function podsOf(app: string): Promise<Pod[]> {
  return (await cluster.client.list<Pod>(PODS, { namespace, labelSelector: `app=${app}` })).items;
}

test('a Deployment rolls out, is updated without losing availability, and goes back', async () => {
  const strategy = { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } };
  const deployment = deploymentOf(namespace, 'web', 2, {
    containers: [server({ readinessProbe: READINESS })],
  });
  await cluster.client.create(DEPLOYMENTS, {
    ...deployment,
    spec: { ...deployment.spec, strategy },
  } as never);
  const complete = (revision: string, generation: number) => ({
    metadata: { annotations: { [REVISION]: revision } },
    status: {
      observedGeneration: generation,
      replicas: 2,
      updatedReplicas: 2,
      availableReplicas: 2,
      conditions: expect.arrayContaining([
        expect.objectContaining({ type: 'Available', status: 'True', reason: 'MinimumReplicasAvailable' }),
        expect.objectContaining({ type: 'Progressing', status: 'True', reason: 'NewReplicaSetAvailable' }),
      ]),
    },
  });
  await cluster.until(DEPLOYMENTS, namespace, 'web', complete('1', 1));

  const available: number[] = [];
  const watching = new AbortController();
  const watched = (async () => {
    for await (const event of cluster.client.watch<Deployment>(DEPLOYMENTS, {
      namespace,
      signal: watching.signal,
    })) {
      if (event.type === 'MODIFIED') available.push(event.object.status?.availableReplicas ?? 0);
    }
  })().catch(() => undefined);
  const withEnv = (value: string) => ({
    merge: {
      spec: {
        template: {
          spec: { containers: [server({ readinessProbe: READINESS, env: [{ name: 'V', value }] })] },
        },
      },
    },
  });
  await cluster.client.patch(DEPLOYMENTS, { namespace, name: 'web' }, withEnv('2'));
  await cluster.until(DEPLOYMENTS, namespace, 'web', complete('2', 2));
  await expect.poll(async () => (await podsOf('web')).length).toBe(2);
  watching.abort();
  await watched;
  expect(Math.min(...available)).toBeGreaterThanOrEqual(2);

  const back = {
    merge: { spec: { template: { spec: { containers: [server({ readinessProbe: READINESS })] } } } },
  };
  await cluster.client.patch(DEPLOYMENTS, { namespace, name: 'web' }, back);
  await cluster.until(DEPLOYMENTS, namespace, 'web', complete('3', 3));
  const sets = await cluster.client.list<ReplicaSet>(REPLICA_SETS, { namespace });
  expect(sets.items.map((set) => set.spec.replicas).sort()).toEqual([0, 2]);
});

test('a ReplicaSet lets go of a pod that its selector has no longer, makes another, and takes it back', async () => {
  await cluster.client.create(DEPLOYMENTS, deploymentOf(namespace, 'claims', 1) as never);
  await cluster.until(DEPLOYMENTS, namespace, 'claims', { status: { availableReplicas: 1 } });
  const [pod] = await podsOf('claims');
  const { name = '', labels: { 'pod-template-hash': hash } = {} } = pod?.metadata ?? {};
  const relabel = (value: string | undefined) =>
    cluster.client.patch(
      PODS,
      { namespace, name },
      { merge: { metadata: { labels: { 'pod-template-hash': value ?? null } } } },
    );

  await relabel(undefined);
  await expect
    .poll(async () =>
      (await podsOf('claims')).map(({ metadata }) => metadata.ownerReferences?.length ?? 0).sort(),
    )
    .toEqual([0, 1]);
  await cluster.until(DEPLOYMENTS, namespace, 'claims', { status: { replicas: 1, availableReplicas: 1 } });

  await relabel(hash);
  await expect.poll(async () => (await podsOf('claims')).length).toBe(1);
});

test('Recreate ends the old pods before it starts new ones', async () => {
  const deployment = deploymentOf(namespace, 'one', 1);
  const spec = { ...deployment.spec, strategy: { type: 'Recreate' } };
  await cluster.client.create(DEPLOYMENTS, { ...deployment, spec } as never);
  await cluster.until(DEPLOYMENTS, namespace, 'one', { status: { availableReplicas: 1 } });
  const [before] = await podsOf('one');
  const together: number[] = [];
  const watching = new AbortController();
  const watched = (async () => {
    const options = { namespace, labelSelector: 'app=one', signal: watching.signal };
    const live = new Set<string>();
    for await (const event of cluster.client.watch<Pod>(PODS, options)) {
      if (event.type === 'ADDED') live.add(event.object.metadata.name);
      if (event.type === 'DELETED') live.delete(event.object.metadata.name);
      together.push(live.size);
    }
  })().catch(() => undefined);

  const containers = [server({ env: [{ name: 'V', value: '2' }] })];
  await cluster.client.patch(
    DEPLOYMENTS,
    { namespace, name: 'one' },
    { merge: { spec: { template: { spec: { containers } } } } },
  );

  await cluster.until(DEPLOYMENTS, namespace, 'one', {
    status: { observedGeneration: 2, updatedReplicas: 1, availableReplicas: 1 },
  });
  watching.abort();
  await watched;
  expect((await podsOf('one')).map((pod) => pod.metadata.name)).not.toContain(before?.metadata.name);
  expect(Math.max(...together)).toBe(1);
});

test('a Deployment is scaled through its scale subresource, to zero and back', async () => {
  await cluster.client.create(DEPLOYMENTS, deploymentOf(namespace, 'scaled', 1) as never);
  await cluster.until(DEPLOYMENTS, namespace, 'scaled', { status: { availableReplicas: 1 } });
  const scale = (replicas: number) =>
    cluster.client.patch(
      DEPLOYMENTS,
      { namespace, name: 'scaled' },
      { merge: { spec: { replicas } } },
      { subresource: 'scale' },
    );

  await scale(0);
  await expect.poll(() => podsOf('scaled')).toEqual([]);
  await scale(3);
  await cluster.until(DEPLOYMENTS, namespace, 'scaled', { status: { replicas: 3, availableReplicas: 3 } });
});

test('a deleted pod is replaced', async () => {
  await cluster.client.create(DEPLOYMENTS, deploymentOf(namespace, 'kept', 1) as never);
  await cluster.until(DEPLOYMENTS, namespace, 'kept', { status: { availableReplicas: 1 } });
  const [first] = await podsOf('kept');

  await cluster.client.delete(PODS, { namespace, name: first?.metadata.name ?? '' });

  await expect
    .poll(async () => (await podsOf('kept')).map((pod) => pod.metadata.uid))
    .not.toContain(first?.metadata.uid);
  await cluster.until(DEPLOYMENTS, namespace, 'kept', { status: { replicas: 1, availableReplicas: 1 } });
});

test('a rollout that does not come forward is reported after its deadline', async () => {
  const deployment = deploymentOf(namespace, 'stuck', 1, {
    containers: [{ name: 'main', image: 'example.com/none' }],
  });
  const spec = { ...deployment.spec, progressDeadlineSeconds: 1 };
  await cluster.client.create(DEPLOYMENTS, { ...deployment, spec } as never);

  await cluster.until(DEPLOYMENTS, namespace, 'stuck', {
    status: {
      conditions: expect.arrayContaining([
        expect.objectContaining({ type: 'Progressing', status: 'False', reason: 'ProgressDeadlineExceeded' }),
      ]),
    },
  });
});

test('a pod for which no accelerator is free waits, says why, and starts when one is given back', async () => {
  const spec = (gpus: string) => ({
    containers: [
      server({ resources: { limits: { 'nvidia.com/gpu': gpus }, requests: { 'nvidia.com/gpu': gpus } } }),
    ],
    nodeSelector: { 'nvidia.com/gpu.product': 'NVIDIA-L4' },
  });
  await cluster.createPod(namespace, 'holder', spec('2'));
  await cluster.ready(namespace, 'holder');
  await cluster.createPod(namespace, 'waiter', spec('1'));

  await cluster.until(PODS, namespace, 'waiter', {
    status: {
      phase: 'Pending',
      conditions: [
        expect.objectContaining({
          type: 'PodScheduled',
          status: 'False',
          reason: 'Unschedulable',
          message: expect.stringContaining('Insufficient nvidia.com/gpu'),
        }),
      ],
    },
  });
  await expect
    .poll(async () => (await cluster.client.list(EVENTS, { namespace })).items)
    .toContainEqual(expect.objectContaining({ reason: 'FailedScheduling', type: 'Warning' }));

  await cluster.client.delete(PODS, { namespace, name: 'holder' });
  await cluster.ready(namespace, 'waiter');
});

test('a disruption budget knows how many pods may go', async () => {
  await cluster.client.create(POD_DISRUPTION_BUDGETS, {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { namespace, name: 'budget' },
    spec: { maxUnavailable: 1, selector: { matchLabels: { app: 'guarded' } } },
  } as never);
  await cluster.client.create(DEPLOYMENTS, deploymentOf(namespace, 'guarded', 2) as never);

  await cluster.until(POD_DISRUPTION_BUDGETS, namespace, 'budget', {
    status: { expectedPods: 2, desiredHealthy: 1, currentHealthy: 2, disruptionsAllowed: 1 },
  });
});
