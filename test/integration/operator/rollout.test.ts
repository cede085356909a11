/** A change on a cluster without spare accelerators. There are no controllers, so the test plays Deployment and pods. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { INFERENCE_MODELS } from '../../../operator/api/types.ts';
import type { Deployment, Pod } from '../../../operator/controllers/shared/workloads.ts';
import { systemClock } from '../../../operator/kube/clock.ts';
import { findCondition } from '../../../operator/kube/conditions.ts';
import { DEPLOYMENTS, PODS } from '../../../operator/kube/resource-types.ts';
import { engineLabels } from '../../../operator/render/labels.ts';
import { whichApiServer } from '../support/which-api-server.ts';
import { Harness, type RunningOperator } from './support/harness.ts';

let harness: Harness;
let operator: RunningOperator;

beforeAll(async () => {
  harness = await Harness.start();
  operator = await harness.startOperator();
});
afterAll(() => harness.close());

interface Rolling extends Deployment {
  metadata: Deployment['metadata'] & { generation: number };
}

async function playPod(namespace: string, conditions: object[]): Promise<void> {
  const name = `engine-${randomUUID().slice(0, 8)}`;
  await harness.client.create(PODS, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace,
      labels: engineLabels({ name: 'roll', namespace }, { name: 'pool', namespace }),
    },
    spec: { containers: [{ name: 'engine', image: 'vllm' }], automountServiceAccountToken: false },
  } as unknown as Pod);
  await harness.client.patch(
    PODS,
    { namespace, name },
    { merge: { status: { conditions } } },
    { subresource: 'status' },
  );
}

async function playStatus(namespace: string, status: object): Promise<void> {
  const key = { namespace, name: 'vllm-roll' };
  const { metadata } = await harness.client.get<Rolling>(DEPLOYMENTS, key);
  const merge = { status: { observedGeneration: metadata.generation, ...status } };
  await harness.client.patch(DEPLOYMENTS, key, { merge }, { subresource: 'status' });
}

async function untilSurge(namespace: string, maxSurge: number): Promise<void> {
  await harness.until<Deployment>(
    DEPLOYMENTS,
    namespace,
    'vllm-roll',
    `has maxSurge ${maxSurge}`,
    ({ spec }) => spec.strategy?.rollingUpdate?.maxSurge === maxSurge,
  );
}

it.skipIf(whichApiServer() === 'existing')(
  'gives up an engine of before once the new one has waited',
  async () => {
    const namespace = await harness.namespace();
    await harness.createPool(namespace);
    await harness.createModel(namespace, 'roll');
    await untilSurge(namespace, 1);
    await playPod(namespace, [{ type: 'Ready', status: 'True' }]);
    await playStatus(namespace, { replicas: 1, updatedReplicas: 1, readyReplicas: 1 });
    await harness.settled(operator);

    const spec = { engine: { maxModelLen: 4096 } };
    await harness.client.patch(INFERENCE_MODELS, { namespace, name: 'roll' }, { merge: { spec } });
    await harness.settled(operator);
    const message = '0/1 nodes are available: 1 Insufficient nvidia.com/gpu.';
    const lastTransitionTime = new Date().toISOString();
    await playPod(namespace, [
      { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message, lastTransitionTime },
    ]);
    await playStatus(namespace, { replicas: 2, updatedReplicas: 1, readyReplicas: 1 });
    const waits = await harness.untilCondition(namespace, 'roll', 'Ready', 'False', 'Unschedulable');
    const said = findCondition(waits.status?.conditions, 'Ready')?.message;
    expect(said).toContain(message);
    expect(said).toContain('hold accelerators');
    await untilSurge(namespace, 1);

    // Ten minutes later, for an operator that begins then.
    await operator.stop();
    operator = await harness.startOperator({ ...systemClock, now: () => systemClock.now() + 11 * 60_000 });
    await untilSurge(namespace, 0);
    await playStatus(namespace, { replicas: 1, updatedReplicas: 1, readyReplicas: 0 });
    await untilSurge(namespace, 1);
  },
);
