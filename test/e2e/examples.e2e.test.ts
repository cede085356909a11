import { afterAll, beforeAll, expect, it } from 'vitest';
import { INFERENCE_MODELS, type InferenceModel } from '../../operator/api/types.ts';
import type { Deployment } from '../../operator/controllers/shared/workloads.ts';
import { findCondition } from '../../operator/kube/conditions.ts';
import { DEPLOYMENTS, PODS } from '../../operator/kube/resource-types.ts';
import { World } from './support/world.ts';

const EXAMPLES = ['a100', 'h100x4', 'h100x8'].flatMap((name) => [
  '-f',
  new URL(`../../examples/${name}.yaml`, import.meta.url).pathname,
]);
const COMPONENT = 'app.kubernetes.io/component';

let world: World;

// Without accelerators, so that nothing but the API server, the operator and the routers has to work.
beforeAll(async () => {
  world = await World.start({ nodes: [{ name: 'cpu-0' }] });
});
afterAll(() => world?.close());

interface Template {
  spec: { containers: { args: string[]; resources: { limits: Record<string, string> } }[] };
}

async function engines(): Promise<Deployment[]> {
  const { items } = await world.client.list<Deployment>(DEPLOYMENTS, {
    labelSelector: `${COMPONENT}=engine`,
  });
  return items;
}

it('kubectl apply takes the examples, and every model asks for what its pool has', async () => {
  await world.kubectl('apply', ...EXAMPLES);
  const { items: models } = await world.client.list<InferenceModel>(INFERENCE_MODELS);
  expect(models.length).toBeGreaterThanOrEqual(6);
  await expect
    .poll(async () => (await engines()).length, { message: 'every model has its Deployment' })
    .toBe(models.length);

  const accelerators: Record<string, number> = { a100: 1, h100x4: 4, h100x8: 8 };
  for (const { metadata, spec } of await engines()) {
    const count = accelerators[metadata.labels?.['vllm-operator.dev/pool'] ?? ''];
    const [container] = (spec as unknown as { template: Template }).template.spec.containers;
    expect(container?.resources.limits['nvidia.com/gpu'], metadata.name).toBe(String(count));
    expect(container?.args, metadata.name).toContain(`--tensor-parallel-size=${count}`);
  }
});

it('a model that no node can take says so, and that it is being waited for', async () => {
  const { items } = await world.client.list<InferenceModel>(INFERENCE_MODELS);
  for (const { metadata } of items) {
    const namespace = metadata.namespace ?? '';
    const model = await world.modelCondition(
      namespace,
      metadata.name,
      'Reconciling',
      'True',
      'Unschedulable',
    );
    expect(model.status?.state).toBe('Starting');
    expect(findCondition(model.status?.conditions, 'Ready')).toMatchObject({
      status: 'False',
      message: expect.stringContaining('an engine cannot be scheduled'),
    });
  }
});

it.each([
  ['an unknown accelerator', 'vpool', 'a100', '{"spec":{"accelerator":{"type":"Z9"}}}', 'spec.accelerator'],
  [
    'both forms of scaling',
    'vmodel',
    undefined,
    '{"spec":{"scaling":{"replicas":1,"minReplicas":0,"maxReplicas":2}}}',
    'spec.scaling',
  ],
])('the API server refuses %s', async (_, kind, name, patch, field) => {
  const [model] = (await world.client.list<InferenceModel>(INFERENCE_MODELS)).items;
  const object = name ?? model?.metadata.name ?? '';

  const result = await world.tryKubectl('patch', kind, object, '-n', 'platform', '--type=merge', '-p', patch);

  expect(result.code).toBe(1);
  expect(result.stderr).toContain('is invalid');
  expect(result.stderr).toContain(field);
});

it('kubectl delete takes it all away', async () => {
  // The namespace is in the files too, and may be gone with all in it before kubectl comes to the rest.
  await world.kubectl('delete', ...EXAMPLES, '--ignore-not-found', '--timeout=60s');

  await expect
    .poll(
      async () => {
        const labelSelector = 'app.kubernetes.io/managed-by=vllm-operator';
        const lists = await Promise.all(
          [DEPLOYMENTS, PODS].map((type) => world.client.list(type, { labelSelector })),
        );
        return lists.every(({ items }) => items.length === 0);
      },
      { message: 'nothing is left' },
    )
    .toBeTruthy();
});
