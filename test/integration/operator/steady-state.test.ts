/** An operator that finds everything in place writes nothing; counted by requests. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { kubectl } from '../../../hack/kubectl/kubectl.ts';
import {
  INFERENCE_MODELS,
  INFERENCE_POOLS,
  type InferenceModel,
  type InferencePool,
} from '../../../operator/api/types.ts';
import type { ApplyOptions } from '../../../operator/kube/client.ts';
import type { KubeObject } from '../../../operator/kube/object.ts';
import { SERVICES } from '../../../operator/kube/resource-types.ts';
import { Harness, type RunningOperator } from './support/harness.ts';

/** A pool whose pods no cluster has room for. */
const NOWHERE = {
  accelerator: {
    type: 'custom',
    custom: { resourceName: 'vllm-operator.dev/none', count: 1, memoryGiB: 80 },
  },
  router: { resources: { requests: { cpu: '9999' } } },
  responseCache: { enabled: false },
};

let harness: Harness;
let operator: RunningOperator;
let namespace: string;

beforeAll(async () => {
  harness = await Harness.start();
  operator = await harness.startOperator();
  namespace = await harness.namespace();
  await harness.createPool(namespace, harness.shared ? NOWHERE : {});
  await harness.createModel(namespace, 'chat');
  await harness.untilCondition(namespace, 'chat', 'Accepted', 'True');
  // Pods that come and go are news, and not for this test: here they wait for ever.
  if (harness.shared) await harness.untilCondition(namespace, 'chat', 'Ready', 'False', 'Unschedulable');
  await harness.settled(operator);
});
afterAll(() => harness.close());

describe('a steady state', () => {
  it('costs no write, also for an operator that starts', async () => {
    const before = await operator.writes();
    // A label says nothing to the operator, but is a change: the model is reconciled again.
    await harness.client.patch(
      INFERENCE_MODELS,
      { namespace, name: 'chat' },
      { merge: { metadata: { labels: { touched: 'yes' } } } },
    );
    await harness.client.patch(
      INFERENCE_POOLS,
      { namespace, name: 'pool' },
      { merge: { metadata: { labels: { touched: 'yes' } } } },
    );
    expect(await harness.settled(operator)).toBe(before);

    await operator.stop();
    operator = await harness.startOperator();
    await expect
      .poll(() => Promise.resolve(operator.isLeader()), { message: 'the new operator leads' })
      .toBeTruthy();
    // It finds its Lease and root key, and everything else in place.
    expect(await harness.settled(operator)).toBe(0);
  });

  it('costs no write, and is no news, however often a pipeline applies the same manifests', async () => {
    const manifests = await Promise.all(
      [INFERENCE_POOLS, INFERENCE_MODELS].map(async (type) => {
        const name = type === INFERENCE_POOLS ? 'pool' : 'chat';
        const { apiVersion, kind, spec } = await harness.client.get<InferencePool | InferenceModel>(type, {
          namespace,
          name,
        });
        return { type, manifest: { apiVersion, kind, metadata: { name, namespace }, spec } };
      }),
    );
    const input = manifests.map(({ manifest }) => JSON.stringify(manifest)).join('\n---\n');
    const clientSide = () => kubectl(['apply', '-f', '-'], { kubeconfig: harness.kubeconfig, input });
    const serverSide = (options: ApplyOptions) =>
      Promise.all(manifests.map(({ type, manifest }) => harness.client.apply(type, manifest, options)));
    const argo = { fieldManager: 'argocd-controller' };
    // The first time each becomes an owner of fields, which is a change.
    await clientSide();
    const first = await serverSide(argo);
    const before = await harness.settled(operator);
    const versions = (objects: KubeObject[]) => objects.map(({ metadata }) => metadata.resourceVersion);
    const rested = versions(await serverSide(argo));

    for (let i = 0; i < 100; i += 1) await serverSide(argo);
    for (let i = 0; i < 3; i += 1) await clientSide();
    const last = await serverSide(argo);
    expect(await harness.settled(operator)).toBe(before);
    expect(versions(last)).toEqual(rested);
    expect(last.map(({ metadata }) => metadata.generation)).toEqual(
      first.map(({ metadata }) => metadata.generation),
    );
  });

  it('costs no write if the API server normalizes a value', async () => {
    const resources = { requests: { cpu: '2000m', memory: '1024Mi' }, limits: { memory: '3.5Gi' } };
    const env = [{ name: 'EMPTY', value: '' }];
    const template = {
      resources,
      env,
      envFrom: [{ secretRef: { name: 'a' }, prefix: 'X_' }],
      tolerations: [{ operator: 'Exists' }],
      hostAliases: [{ ip: '10.0.0.1', hostnames: [] }],
      volumes: [{ name: 'shm', emptyDir: { medium: 'Memory', sizeLimit: '1024Mi' } }],
      volumeMounts: [{ name: 'shm', mountPath: '/dev/shm/' }],
      initContainers: [
        { name: 'a', image: 'busybox', resources: { requests: { cpu: '1000m', memory: '1024Mi' } }, env },
      ],
    };
    const model = { source: 'hf://Qwen/Qwen2.5-7B-Instruct', cache: { emptyDir: { sizeLimit: '2048Mi' } } };
    await harness.createModel(namespace, 'odd', { suspend: true, template, model });
    await harness.engine(namespace, 'odd');
    const before = await harness.settled(operator);
    await harness.client.patch(
      INFERENCE_MODELS,
      { namespace, name: 'odd' },
      { merge: { metadata: { labels: { touched: 'yes' } } } },
    );
    expect(await harness.settled(operator)).toBe(before);
  });

  it('is maintained by one of two operators, and by the other after the first stops', async () => {
    const second = await harness.startOperator();
    await harness.client.delete(SERVICES, { namespace, name: 'vllm-chat' });
    await harness.until(SERVICES, namespace, 'vllm-chat', 'is back', () => true);
    expect([operator.isLeader(), second.isLeader()]).toEqual([true, false]);
    expect(await second.writes()).toBe(0);
    // What the first has still to write about that Service would be the second's to write.
    await harness.settled(operator);
    await operator.stop();
    await expect.poll(() => Promise.resolve(second.isLeader()), { message: 'the second leads' }).toBeTruthy();
    expect(await harness.settled(second)).toBe(0);
    await harness.client.delete(SERVICES, { namespace, name: 'vllm-chat' });
    await harness.until(SERVICES, namespace, 'vllm-chat', 'is back', () => true);
    operator = second;
  });
});
