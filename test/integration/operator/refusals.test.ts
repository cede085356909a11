/** Wrong pools and models: refused by the API server where one object is enough, else Stalled with field and remedy, and nothing half applied. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { INFERENCE_MODELS, INFERENCE_POOLS, type InferenceModel } from '../../../operator/api/types.ts';
import { findCondition } from '../../../operator/kube/conditions.ts';
import type { KubeError } from '../../../operator/kube/errors.ts';
import { DEPLOYMENTS, NAMESPACES, SERVICES } from '../../../operator/kube/resource-types.ts';
import { Harness, type RunningOperator } from './support/harness.ts';

let harness: Harness;
let operator: RunningOperator;

beforeAll(async () => {
  harness = await Harness.start();
  operator = await harness.startOperator();
});
afterAll(() => harness.close());

describe('faults of a single object are rejected at once', () => {
  it.each([
    ['an unknown accelerator', { accelerator: { type: 'X100' } }, /spec\.accelerator\.type/],
    ['custom without its description', { accelerator: { type: 'custom' } }, /custom/],
    [
      'a utilization above 1',
      { engine: { pagedAttention: { gpuMemoryUtilization: '1.5' } } },
      /gpuMemoryUtilization/,
    ],
    [
      'managed and external Redis',
      { responseCache: { redis: { managed: {}, external: { secretRef: { name: 'a', key: 'b' } } } } },
      /redis/,
    ],
  ])('pool: %s', async (_what, spec, message) => {
    const namespace = await harness.namespace();
    await expect(harness.createPool(namespace, spec)).rejects.toMatchObject({
      code: 'Invalid',
      message: expect.stringMatching(message),
    } satisfies Partial<KubeError>);
  });

  it.each([
    ['both forms of scaling', { scaling: { replicas: 1, maxReplicas: 2 } }, /scaling/],
    ['a minimum above the maximum', { scaling: { minReplicas: 3, maxReplicas: 2 } }, /minReplicas/],
    [
      'an argument that repeats a typed one',
      { engine: { extraArgs: ['--tensor_parallel_size=2'] } },
      /tensorParallelSize/,
    ],
    ['the short form of it', { engine: { extraArgs: ['-tp', '2'] } }, /tensorParallelSize/],
    ['a source of no known kind', { model: { source: 'ftp://x/y' } }, /spec\.model\.source/],
  ])('model: %s', async (_what, spec, message) => {
    const namespace = await harness.namespace();
    await expect(harness.createModel(namespace, 'chat', spec)).rejects.toMatchObject({
      code: 'Invalid',
      message: expect.stringMatching(message),
    });
  });
});

describe('what the operator does not know', () => {
  it('does not keep a model from being accepted, and is said in its status', async () => {
    const namespace = await harness.namespace();
    await harness.createPool(namespace, {});
    await harness.createModel(namespace, 'new', { engine: { image: 'vllm/vllm-openai:v0.99.0' } });
    const model = await harness.untilCondition(namespace, 'new', 'Accepted', 'True');
    expect(findCondition(model.status?.conditions, 'Accepted')?.message).toMatch(
      /^the pool accepts this model\. Warning: vLLM 0\.99\.0 is newer than v\d+\.\d+, .* were not checked$/,
    );
  });
});

async function stalled(namespace: string, name: string, reason: string): Promise<string> {
  const model = await harness.untilCondition(namespace, name, 'Stalled', 'True', reason);
  expect(findCondition(model.status?.conditions, 'Ready')?.status).toBe('False');
  expect(findCondition(model.status?.conditions, 'Accepted')?.status ?? 'False').toBe(
    reason === 'DoesNotFit' ? 'True' : 'False',
  );
  return findCondition(model.status?.conditions, 'Stalled')?.message ?? '';
}

async function expectNothingApplied(namespace: string, model: string): Promise<void> {
  await harness.settled(operator);
  for (const type of [DEPLOYMENTS, SERVICES]) {
    const { items } = await harness.client.list(type, {
      namespace,
      labelSelector: `vllm-operator.dev/model=${model}`,
    });
    expect(items.map(({ metadata }) => metadata.name)).toEqual([]);
  }
}

describe('what several objects decide makes a model Stalled, with nothing applied', () => {
  it('a tensor-parallel size that does not divide the heads', async () => {
    const namespace = await harness.namespace();
    await harness.createPool(namespace, { accelerator: { type: 'A100x4' } });
    await harness.createModel(namespace, 'chat', { model: { source: 'hf://Qwen/Qwen2.5-0.5B' } });
    expect(await stalled(namespace, 'chat', 'InvalidSpec')).toMatch(/tensorParallelSize.*14.*set/s);
    await expectNothingApplied(namespace, 'chat');
  });

  it('a tensor-parallel size above the accelerators', async () => {
    const namespace = await harness.namespace();
    await harness.createPool(namespace);
    await harness.createModel(namespace, 'chat', { engine: { tensorParallelSize: 8 } });
    expect(await stalled(namespace, 'chat', 'InvalidSpec')).toMatch(/tensorParallelSize 8/);
    await expectNothingApplied(namespace, 'chat');
  });

  it('a model that is too large', async () => {
    const namespace = await harness.namespace();
    await harness.createPool(namespace);
    await harness.createModel(namespace, 'chat', {
      model: { source: 'hf://meta-llama/Llama-3.3-70B-Instruct' },
    });
    expect(await stalled(namespace, 'chat', 'DoesNotFit')).toMatch(/H100x4|A100x/);
    await expectNothingApplied(namespace, 'chat');
  });

  it('a name that is served already', async () => {
    const namespace = await harness.namespace();
    await harness.createPool(namespace);
    await harness.createModel(namespace, 'first', { model: { source: 'hf://a/b', servedNames: ['chat'] } });
    await harness.untilCondition(namespace, 'first', 'Accepted', 'True');
    await harness.createModel(namespace, 'second', { model: { source: 'hf://a/b', servedNames: ['chat'] } });
    expect(await stalled(namespace, 'second', 'ServedNameConflict')).toContain(`${namespace}/first`);
    await expectNothingApplied(namespace, 'second');
    await harness.client.delete(INFERENCE_MODELS, { namespace, name: 'first' });
    await harness.untilCondition(namespace, 'second', 'Accepted', 'True');
  });

  it('a namespace that the pool does not admit, until it does', async () => {
    const [platform, team] = [await harness.namespace(), await harness.namespace()];
    await harness.createPool(platform, {
      accelerator: { type: 'A100', hourlyCost: '4' },
      allowedNamespaces: { from: 'Selector', selector: { matchLabels: { gpu: 'yes' } } },
    });
    await harness.createModel(team, 'chat', { poolRef: { name: 'pool', namespace: platform } });
    expect(await stalled(team, 'chat', 'NamespaceNotAllowed')).toContain('label the namespace');
    const { status } = await harness.client.get<InferenceModel>(INFERENCE_MODELS, {
      namespace: team,
      name: 'chat',
    });
    expect([status?.url, status?.hourlyCost], 'of a pool that does not serve it').toEqual([
      undefined,
      undefined,
    ]);
    await expectNothingApplied(team, 'chat');
    await harness.client.patch(
      NAMESPACES,
      { name: team },
      { merge: { metadata: { labels: { gpu: 'yes' } } } },
    );
    await harness.untilCondition(team, 'chat', 'Accepted', 'True');
    await harness.engine(team, 'chat');
  });

  it('a budget that is used up', async () => {
    const namespace = await harness.namespace();
    await harness.createPool(namespace, { capacity: { accelerators: 1 } });
    await harness.createModel(namespace, 'first');
    await harness.untilCondition(namespace, 'first', 'Accepted', 'True');
    await harness.createModel(namespace, 'second');
    expect(await stalled(namespace, 'second', 'QuotaExceeded')).toMatch(/0 of 1 left/);
    await harness.client.patch(
      INFERENCE_POOLS,
      { namespace, name: 'pool' },
      { merge: { spec: { capacity: { accelerators: 2 } } } },
    );
    await harness.untilCondition(namespace, 'second', 'Accepted', 'True');
  });

  it('a pool that does not exist is waited for, and then taken', async () => {
    const namespace = await harness.namespace();
    await harness.createModel(namespace, 'chat');
    const waiting = await harness.untilCondition(namespace, 'chat', 'Reconciling', 'True', 'PoolNotFound');
    expect(findCondition(waiting.status?.conditions, 'Reconciling')?.message).toContain(`${namespace}/pool`);
    await harness.createPool(namespace);
    await harness.engine(namespace, 'chat');
  });
});

describe('faults that only Kubernetes detects are quoted', () => {
  it.each([
    ['an unknown field', { volumes: [{ name: 'scratch', emptyDir: {}, colour: 'red' }] }, /colour/],
    [
      'two mounts at one path',
      {
        volumeMounts: [
          { name: 'tmp', mountPath: '/scratch' },
          { name: 'home', mountPath: '/scratch' },
        ],
      },
      /duplicate entries.*scratch/,
    ],
  ])('%s', async (_what, template, message) => {
    const namespace = await harness.namespace();
    await harness.createPool(namespace);
    await harness.createModel(namespace, 'chat', { template });
    const model = await harness.untilCondition(namespace, 'chat', 'Stalled', 'True', 'ApplyRefused');
    expect(findCondition(model.status?.conditions, 'Stalled')?.message).toMatch(message);
    await harness.client.patch(
      INFERENCE_MODELS,
      { namespace, name: 'chat' },
      { merge: { spec: { template: null } } },
    );
    await harness.engine(namespace, 'chat');
  });
});

describe('what ran before', () => {
  it('keeps running when the new spec is wrong, and rolls when it is right again', async () => {
    const namespace = await harness.namespace();
    await harness.createPool(namespace);
    await harness.createModel(namespace, 'chat');
    await harness.engine(namespace, 'chat');
    await harness.untilCondition(namespace, 'chat', 'Accepted', 'True');
    await harness.settled(operator);
    const before = await harness.client.get(DEPLOYMENTS, { namespace, name: 'vllm-chat' });
    await harness.client.patch<InferenceModel>(
      INFERENCE_MODELS,
      { namespace, name: 'chat' },
      { merge: { spec: { engine: { tensorParallelSize: 2, batching: { maxNumSeqs: 7 } } } } },
    );
    await stalled(namespace, 'chat', 'InvalidSpec');
    await harness.settled(operator);
    const after = await harness.client.get(DEPLOYMENTS, { namespace, name: 'vllm-chat' });
    expect(after.metadata.generation).toBe(before.metadata.generation);
    await harness.client.patch(
      INFERENCE_MODELS,
      { namespace, name: 'chat' },
      { merge: { spec: { engine: { tensorParallelSize: 1 } } } },
    );
    await harness.until(DEPLOYMENTS, namespace, 'vllm-chat', 'has the new setting', (object) =>
      JSON.stringify(object).includes('--max-num-seqs=7'),
    );
  });
});
