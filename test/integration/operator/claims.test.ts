/** Claims that users bring, and another autoscaler: what the operator has to find in the cluster to know. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { INFERENCE_MODELS } from '../../../operator/api/types.ts';
import { findCondition } from '../../../operator/kube/conditions.ts';
import type { KubeObject } from '../../../operator/kube/object.ts';
import {
  DEPLOYMENTS,
  EVENTS,
  HORIZONTAL_POD_AUTOSCALERS,
  PERSISTENT_VOLUME_CLAIMS,
} from '../../../operator/kube/resource-types.ts';
import { Harness } from './support/harness.ts';

let harness: Harness;

beforeAll(async () => {
  harness = await Harness.start();
  await harness.startOperator();
});
afterAll(() => harness.close());

interface Rolling extends KubeObject {
  spec: { replicas?: number; strategy: { rollingUpdate: { maxSurge: number; maxUnavailable: number } } };
}

async function createClaim(namespace: string, accessModes: string[]): Promise<void> {
  await harness.client.create(PERSISTENT_VOLUME_CLAIMS, {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name: 'weights', namespace },
    spec: { accessModes, resources: { requests: { storage: '10Gi' } } },
  } as KubeObject);
}

async function untilSurge(namespace: string, model: string, maxSurge: number): Promise<Rolling> {
  return await harness.until<Rolling>(
    DEPLOYMENTS,
    namespace,
    `vllm-${model}`,
    `has maxSurge ${maxSurge}`,
    ({ spec }) => spec.strategy.rollingUpdate.maxSurge === maxSurge,
  );
}

const cache = { source: 'hf://Qwen/Qwen2.5-0.5B-Instruct', cache: { pvc: { claimName: 'weights' } } };

describe('a ReadWriteOnce claim', () => {
  it.each([
    ['a cache', cache, 'spec.model.cache.pvc.claimName'],
    ['a source', { source: 'pvc://weights/qwen' }, 'spec.model.source'],
  ])('as %s makes a rollout stop the old pod first, and takes no second replica', async (_, model, field) => {
    const namespace = await harness.namespace();
    await harness.createPool(namespace);
    await createClaim(namespace, ['ReadWriteOnce']);
    await harness.createModel(namespace, 'one', { model });
    await untilSurge(namespace, 'one', 0);
    await harness.createModel(namespace, 'two', { model, scaling: { replicas: 2 } });
    const two = await harness.untilCondition(namespace, 'two', 'Stalled', 'True', 'InvalidSpec');
    expect(findCondition(two.status?.conditions, 'Ready')?.message).toMatch(
      new RegExp(`^${field.replaceAll('.', '\\.')} "weights": up to 2 replicas .*ReadWriteOnce`),
    );
    const changed = { spec: { scaling: { replicas: 2 } } };
    await harness.client.patch(INFERENCE_MODELS, { namespace, name: 'one' }, { merge: changed });
    await harness.untilCondition(namespace, 'one', 'Stalled', 'True', 'InvalidSpec');
    expect((await untilSurge(namespace, 'one', 0)).spec.replicas).toBe(1);
  });

  it('counts once it is there', async () => {
    const namespace = await harness.namespace();
    await harness.createPool(namespace);
    await harness.createModel(namespace, 'one', { model: cache });
    await untilSurge(namespace, 'one', 1);
    await createClaim(namespace, ['ReadWriteOnce']);
    await untilSurge(namespace, 'one', 0);
  });
});

it('another autoscaler of the same Deployment is named', async () => {
  const namespace = await harness.namespace();
  await harness.createPool(namespace);
  await harness.createModel(namespace, 'chat', { scaling: { minReplicas: 1, maxReplicas: 4 } });
  await harness.untilCondition(namespace, 'chat', 'ScalingReady', 'True');
  const hpa = {
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: { name: 'keda-hpa-chat', namespace },
    spec: {
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'vllm-chat' },
      maxReplicas: 3,
      metrics: [
        {
          type: 'Resource',
          resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 50 } },
        },
      ],
    },
  };
  await harness.client.create(HORIZONTAL_POD_AUTOSCALERS, hpa as KubeObject);
  const model = await harness.untilCondition(namespace, 'chat', 'ScalingReady', 'False', 'AnotherAutoscaler');
  expect(findCondition(model.status?.conditions, 'ScalingReady')?.message).toContain('keda-hpa-chat');
  await expect
    .poll(
      async () => {
        const { items } = await harness.client.list<KubeObject & { type: string; reason: string }>(EVENTS, {
          namespace,
        });
        return items.some(({ type, reason }) => type === 'Warning' && reason === 'AnotherAutoscaler');
      },
      { message: 'there is a warning' },
    )
    .toBeTruthy();
  await harness.client.delete(HORIZONTAL_POD_AUTOSCALERS, { namespace, name: 'keda-hpa-chat' });
  await harness.untilCondition(namespace, 'chat', 'ScalingReady', 'True');
});
