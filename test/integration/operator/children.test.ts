/** What the operator makes of pools and models, and how it keeps it so. */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { INFERENCE_MODELS, INFERENCE_POOLS, type InferenceModel } from '../../../operator/api/types.ts';
import type { ConfigMap, Deployment, Service } from '../../../operator/controllers/shared/workloads.ts';
import type { KubeObject, ResourceType } from '../../../operator/kube/object.ts';
import {
  CONFIG_MAPS,
  DEPLOYMENTS,
  NETWORK_POLICIES,
  POD_DISRUPTION_BUDGETS,
  SERVICE_ACCOUNTS,
  SERVICES,
} from '../../../operator/kube/resource-types.ts';
import { PATIENCE } from '../../support/patience.ts';
import { Harness, type RunningOperator } from './support/harness.ts';

interface EngineDeployment extends Deployment {
  spec: {
    replicas?: number;
    template: { spec: { containers: { args: string[]; resources: { limits: Record<string, string> } }[] } };
  };
}

let harness: Harness;
let operator: RunningOperator;

beforeAll(async () => {
  harness = await Harness.start();
  operator = await harness.startOperator();
});
afterAll(() => harness.close());

async function served(name = 'chat', spec: Record<string, unknown> = {}): Promise<string> {
  const namespace = await harness.namespace();
  await harness.createPool(namespace);
  await harness.createModel(namespace, name, spec);
  await harness.engine(namespace, name);
  await harness.untilCondition(namespace, name, 'Accepted', 'True');
  await harness.settled(operator);
  return namespace;
}

describe('children of a model', () => {
  it.each([
    ['A100', 1],
    ['H100x4', 4],
    ['H100x8', 8],
  ])('have the accelerators of %s', async (type, count) => {
    const namespace = await harness.namespace();
    await harness.createPool(namespace, { accelerator: { type } });
    await harness.createModel(namespace, 'chat');
    const engine = (await harness.engine(namespace, 'chat')) as EngineDeployment;
    const [container] = engine.spec.template.spec.containers;
    expect(container?.resources.limits['nvidia.com/gpu']).toBe(String(count));
    expect(container?.args).toContain(`--tensor-parallel-size=${count}`);
  });

  it('belong to the model, which garbage collection and Argo CD follow', async () => {
    const namespace = await served();
    const model = await harness.client.get<InferenceModel>(INFERENCE_MODELS, { namespace, name: 'chat' });
    for (const type of [DEPLOYMENTS, SERVICES, SERVICE_ACCOUNTS, NETWORK_POLICIES, POD_DISRUPTION_BUDGETS]) {
      const child = await harness.client.get(type, { namespace, name: 'vllm-chat' });
      expect(child.metadata.ownerReferences).toEqual([
        expect.objectContaining({ kind: 'InferenceModel', uid: model.metadata.uid, controller: true }),
      ]);
      expect(
        Object.keys({ ...child.metadata.labels, ...child.metadata.annotations }).filter(
          (key) => key.includes('argocd') || key.endsWith('/instance'),
        ),
      ).toEqual([]);
    }
  });

  it('start with the replicas that the spec asks for, and none while suspended', async () => {
    const namespace = await served('three', { scaling: { replicas: 3 } });
    expect((await harness.engine(namespace, 'three')).spec.replicas).toBe(3);
    await harness.createModel(namespace, 'asleep', { suspend: true });
    expect((await harness.engine(namespace, 'asleep')).spec.replicas).toBe(0);
    await harness.client.patch(
      INFERENCE_MODELS,
      { namespace, name: 'three' },
      { merge: { spec: { scaling: { replicas: 2 } } } },
    );
    await harness.until<Deployment>(
      DEPLOYMENTS,
      namespace,
      'vllm-three',
      'has 2 replicas',
      ({ spec }) => spec.replicas === 2,
    );
  });

  const kinds: [string, ResourceType, (namespace: string) => Promise<string>][] = [
    ['Deployment', DEPLOYMENTS, () => Promise.resolve('vllm-chat')],
    ['Service', SERVICES, () => Promise.resolve('vllm-chat')],
    ['ConfigMap of the router', CONFIG_MAPS, routerConfigMap],
  ];
  it.each(kinds)('come back when someone deletes the %s', async (_kind, type, nameOf) => {
    const namespace = await served();
    const name = await nameOf(namespace);
    const { metadata } = await harness.client.get(type, { namespace, name });
    await harness.client.delete(type, { namespace, name });
    await harness.until(type, namespace, name, 'is back', (object) => object.metadata.uid !== metadata.uid);
  });

  it('are corrected where the operator owns the field, and left alone elsewhere', async () => {
    const namespace = await served();
    const key = { namespace, name: 'vllm-chat' };
    await harness.client.patch(DEPLOYMENTS, key, {
      merge: {
        metadata: { annotations: { 'example.com/note': 'mine' } },
        spec: { replicas: 4, minReadySeconds: 5 },
      },
    });
    await harness.client.patch(SERVICES, key, {
      merge: { spec: { ports: [{ name: 'http', port: 9999 }], selector: { app: 'other' } } },
    });
    await harness.until<Service>(
      SERVICES,
      namespace,
      'vllm-chat',
      'has its selector and port again',
      ({ spec }) =>
        spec.selector?.['app.kubernetes.io/component'] === 'engine' &&
        Boolean(spec.ports?.some(({ port }) => port === 8000)),
    );
    await harness.settled(operator);
    const deployment = await harness.client.get<Deployment & { spec: { minReadySeconds?: number } }>(
      DEPLOYMENTS,
      key,
    );
    expect(deployment.metadata.annotations).toMatchObject({ 'example.com/note': 'mine' });
    expect(deployment.spec).toMatchObject({ replicas: 4, minReadySeconds: 5 });
  });

  it.each([
    ['model', 'vllm-chat', 'engine'],
    ['pool', 'pool-router', 'router'],
  ])(
    'of a %s are corrected in the end, also when somebody else was faster for a while',
    async (_, name, component) => {
      const namespace = await served();
      const isOurs = ({ spec }: Service) => spec.selector?.['app.kubernetes.io/component'] === component;
      const change = async (times: number) =>
        await harness.client.patch(
          SERVICES,
          { namespace, name },
          { merge: { spec: { selector: { 'app.kubernetes.io/component': `other-${times}` } } } },
        );
      for (let times = 0; times < 10; times++) {
        await change(times);
        await harness.until<Service>(SERVICES, namespace, name, 'is corrected', isOurs);
      }
      await change(10);
      await harness.settled(operator);
      expect(isOurs(await harness.client.get<Service>(SERVICES, { namespace, name }))).toBe(false);
      await harness.until<Service>(SERVICES, namespace, name, 'is corrected after a while', isOurs);
    },
  );

  it('go when they are not wanted any more', async () => {
    const namespace = await served('own', {});
    await harness.client.patch(
      INFERENCE_MODELS,
      { namespace, name: 'own' },
      { merge: { spec: { template: { serviceAccountName: 'existing' } } } },
    );
    await expect
      .poll(
        async () => {
          const { items } = await harness.client.list(SERVICE_ACCOUNTS, { namespace });
          return items.every(({ metadata }) => metadata.name !== 'vllm-own');
        },
        { message: 'the ServiceAccount is pruned' },
      )
      .toBeTruthy();
  });

  it('never replace an object of another owner', async () => {
    const namespace = await harness.namespace();
    const foreign = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'vllm-chat', namespace },
      spec: { ports: [{ port: 80 }], selector: { app: 'theirs' } },
    };
    await harness.client.create(SERVICES, foreign);
    await harness.createPool(namespace);
    await harness.createModel(namespace, 'chat');
    const model = await harness.untilCondition(namespace, 'chat', 'Stalled', 'True', 'NameTaken');
    expect(model.status?.conditions?.find(({ type }) => type === 'Stalled')?.message).toContain('Service');
    expect(
      (await harness.client.get<KubeObject & { spec: object }>(SERVICES, { namespace, name: 'vllm-chat' }))
        .spec,
    ).toMatchObject({ selector: { app: 'theirs' } });
  });
});

describe('a pool', () => {
  it('stays while models use it, says which, and goes with the last', async () => {
    const namespace = await served();
    await harness.client.delete(INFERENCE_POOLS, { namespace, name: 'pool' });
    const pool = await harness.until<
      KubeObject & { status?: { conditions?: { type: string; message: string; reason: string }[] } }
    >(INFERENCE_POOLS, namespace, 'pool', 'says what it waits for', ({ status }) =>
      Boolean(status?.conditions?.some(({ type, reason }) => type === 'Ready' && reason === 'Deleting')),
    );
    expect(pool.status?.conditions?.find(({ type }) => type === 'Ready')?.message).toContain(
      `${namespace}/chat`,
    );
    await harness.client.get(DEPLOYMENTS, { namespace, name: 'pool-router' });
    await harness.client.delete(INFERENCE_MODELS, { namespace, name: 'chat' });
    await expect
      .poll(async () => (await harness.client.list(INFERENCE_POOLS, { namespace })).items.length, {
        message: 'the pool is gone',
      })
      .toBe(0);
  });

  it('is not blocked by models of namespaces that it does not allow', async () => {
    const [platform, stranger] = [await harness.namespace(), await harness.namespace()];
    await harness.createPool(platform);
    await harness.createModel(stranger, 'chat', { poolRef: { name: 'pool', namespace: platform } });
    await harness.untilCondition(stranger, 'chat', 'Accepted', 'False', 'NamespaceNotAllowed');
    await harness.client.delete(INFERENCE_POOLS, { namespace: platform, name: 'pool' });
    await harness.untilCondition(stranger, 'chat', 'Accepted', 'False', 'PoolNotFound');
  });
});

async function routerConfigMap(namespace: string): Promise<string> {
  return await vi.waitFor(async () => {
    const { items } = await harness.client.list<ConfigMap>(CONFIG_MAPS, {
      namespace,
      labelSelector: 'app.kubernetes.io/component=router',
    });
    const files = items.find(({ immutable }) => immutable);
    if (!files) throw new Error('the router has no immutable ConfigMap');
    return files.metadata.name;
  }, PATIENCE);
}
