import { afterAll, beforeAll, expect, it } from 'vitest';
import { INFERENCE_MODELS, type InferenceModel } from '../../operator/api/types.ts';
import type { Deployment } from '../../operator/controllers/shared/workloads.ts';
import { findCondition, isTrue } from '../../operator/kube/conditions.ts';
import { DEPLOYMENTS } from '../../operator/kube/resource-types.ts';
import { identities } from './support/engines.ts';
import { ask, Traffic } from './support/traffic.ts';
import { World } from './support/world.ts';

/** Long enough that streams are on their way when engines are told to stop. */
const TOKENS = 400;

let world: World;
let namespace: string;

beforeAll(async () => {
  world = await World.start();
  namespace = await world.namespace();
  await world.createPool(namespace, { router: { loadBalancing: 'LeastRequests' } });
  await world.createModel(namespace, 'one', { scaling: { replicas: 1 } });
  await world.createModel(namespace, 'two', { scaling: { replicas: 2 } });
  await world.poolReady(namespace);
  await world.modelReady(namespace, 'one');
  await world.modelReady(namespace, 'two');
});
afterAll(() => world?.close());

async function begin(model: string): Promise<Traffic> {
  const traffic = new Traffic(await world.openai(namespace), model, {
    askers: 2,
    streamers: 4,
    tokens: TOKENS,
  });
  await expect
    .poll(() => traffic.answered > 5 && traffic.streamed > 1, { message: 'there is traffic' })
    .toBeTruthy();
  return traffic;
}

/** Arguments of the engines, which all have them: a model that says it is ready has rolled. */
async function rolledArgs(model: string, replicas: number): Promise<string[]> {
  const name = `vllm-${model}`;
  const { metadata, spec, status } = await world.client.get<Deployment>(DEPLOYMENTS, { namespace, name });
  expect(status).toMatchObject({
    observedGeneration: metadata.generation,
    replicas,
    updatedReplicas: replicas,
    readyReplicas: replicas,
  });
  const { template } = spec as { template: { spec: { containers: { args?: string[] }[] } } };
  return template.spec.containers[0]?.args ?? [];
}

it.each([
  ['one', 1],
  ['two', 2],
])(
  'a changed setting reaches all engines of model "%s" (%i replicas) and no request fails',
  async (model, replicas) => {
    const old = await world.pods(namespace, 'engine', model);
    const traffic = await begin(model);

    await world.patchModel(namespace, model, { engine: { batching: { maxNumSeqs: 48 } } });
    await world.modelReady(namespace, model);
    expect(await rolledArgs(model, replicas)).toContain('--max-num-seqs=48');
    await expect
      .poll(async () => (await world.pods(namespace, 'engine', model)).length, {
        message: 'the old engines are gone',
      })
      .toBe(replicas);
    traffic.pods.clear();
    const { answered } = traffic;
    await expect.poll(() => traffic.answered > answered + 20, { message: 'more is answered' }).toBe(true);
    await traffic.stop();

    expect(traffic.failures).toEqual([]);
    const now = await world.pods(namespace, 'engine', model);
    expect(now.map(({ metadata }) => metadata.name)).not.toEqual(
      expect.arrayContaining(old.map(({ metadata }) => metadata.name)),
    );
    expect(now.map(({ metadata }) => metadata.name)).toEqual(expect.arrayContaining([...traffic.pods]));
  },
);

it('what rolls says so, and is available all the while', async () => {
  const seen: { reconciling: boolean; available: boolean; ready: boolean }[] = [];
  await world.patchModel(namespace, 'two', { engine: { batching: { maxNumSeqs: 40 } } });
  await world.until<InferenceModel>(
    INFERENCE_MODELS,
    namespace,
    'two',
    'has rolled',
    ({ metadata, status }) => {
      if (status?.observedGeneration !== metadata.generation) return false;
      const reconciling = isTrue(status?.conditions, 'Reconciling');
      const ready = isTrue(status?.conditions, 'Ready');
      seen.push({ reconciling, ready, available: isTrue(status?.conditions, 'Available') });
      return seen.some((one) => one.reconciling) && ready && !reconciling;
    },
  );

  expect(seen.every(({ available }) => available)).toBe(true);
  expect(seen.every(({ ready, reconciling }) => ready !== reconciling)).toBe(true);
});

it('a wrong spec is told and changes nothing; the right one rolls', async () => {
  const before = identities(await world.pods(namespace, 'engine', 'one'));
  const traffic = await begin('one');

  await world.patchModel(namespace, 'one', { engine: { tensorParallelSize: 3 } });
  const stalled = await world.modelCondition(namespace, 'one', 'Stalled', 'True');
  const condition = findCondition(stalled.status?.conditions, 'Stalled');
  expect(condition?.message).toContain('tensorParallelSize');
  expect(condition?.reason).toBe('InvalidSpec');
  expect(isTrue(stalled.status?.conditions, 'Available')).toBe(true);
  expect(stalled.status).toMatchObject({ state: 'Serving', readyReplicas: 1 });
  const { answered } = traffic;
  await expect.poll(() => traffic.answered > answered + 20, { message: 'more is answered' }).toBe(true);
  expect(identities(await world.pods(namespace, 'engine', 'one'))).toEqual(before);

  await world.patchModel(namespace, 'one', { engine: { tensorParallelSize: null, maxModelLen: 4096 } });
  await world.modelReady(namespace, 'one');
  expect(await rolledArgs('one', 1)).toContain('--max-model-len=4096');
  await traffic.stop();
  expect(traffic.failures).toEqual([]);
});

it('an engine that cannot start does not replace one that runs', async () => {
  await expect
    .poll(async () => (await world.pods(namespace, 'engine', 'one')).length, { message: 'one engine runs' })
    .toBe(1);
  const before = identities(await world.pods(namespace, 'engine', 'one'));
  const client = await world.openai(namespace);

  await world.patchModel(namespace, 'one', {
    engine: { env: [{ name: 'VLLM_SIM_FAIL_START', value: 'exit' }] },
  });
  const model = await world.until<InferenceModel>(
    INFERENCE_MODELS,
    namespace,
    'one',
    'says why',
    ({ status }) => findCondition(status?.conditions, 'Ready')?.reason === 'EngineCrashed',
  );
  const ready = findCondition(model.status?.conditions, 'Ready');
  expect(ready?.status).toBe('False');
  expect(ready?.message).toContain('exit code 1');
  expect(isTrue(model.status?.conditions, 'Available')).toBe(true);
  await ask(client, 'one');
  expect(identities(await world.pods(namespace, 'engine', 'one'))).toEqual(expect.arrayContaining(before));

  await world.patchModel(namespace, 'one', { engine: { env: null } });
  await world.modelReady(namespace, 'one');
  await expect
    .poll(
      async () => {
        const now = identities(await world.pods(namespace, 'engine', 'one'));
        return now.join() === before.join();
      },
      { message: 'only the one that ran is left' },
    )
    .toBeTruthy();
});

it('the operators had nothing to complain about', async () => {
  expect(await world.errors()).toEqual([]);
});
