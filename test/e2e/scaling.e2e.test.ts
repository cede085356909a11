/** To zero and back, on a shared budget: through real routers and engines. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { INFERENCE_MODELS, INFERENCE_POOLS, type InferenceModel } from '../../operator/api/types.ts';
import type { Deployment } from '../../operator/controllers/shared/workloads.ts';
import { findCondition } from '../../operator/kube/conditions.ts';
import { DEPLOYMENTS, EVENTS } from '../../operator/kube/resource-types.ts';
import { Traffic } from './support/traffic.ts';
import { World } from './support/world.ts';

let world: World;
/** Tells requests apart: none is answered from the cache. */
let chats = 0;

beforeAll(async () => {
  world = await World.start();
});
afterAll(() => world?.close());

const sleepy = { minReplicas: 0, maxReplicas: 1, idleTimeout: '2s' };

async function chat(namespace: string, model: string): Promise<string> {
  const client = await world.openai(namespace);
  chats += 1;
  const answer = await client.chat.completions.create({
    model,
    messages: [{ role: 'user', content: `hello ${chats}` }],
    max_tokens: 4,
  });
  return answer.choices[0]?.message.content ?? '';
}

async function state(namespace: string, name: string, wanted: string): Promise<InferenceModel> {
  return await world.until<InferenceModel>(
    INFERENCE_MODELS,
    namespace,
    name,
    `is ${wanted}`,
    ({ status }) => status?.state === wanted,
  );
}

async function reasons(namespace: string, name: string): Promise<string[]> {
  const { items } = await world.client.list<{
    apiVersion: string;
    kind: string;
    metadata: { name: string };
    reason: string;
    regarding: { name: string };
  }>(EVENTS, { namespace });
  return items.filter(({ regarding }) => regarding.name === name).map(({ reason }) => reason);
}

describe('a model that may go to zero', () => {
  it('costs nothing until it is asked, answers the first request, and goes back', async () => {
    const namespace = await world.namespace();
    await world.createPool(namespace);
    await world.createModel(namespace, 'chat', { scaling: sleepy });
    await world.poolReady(namespace);
    const asleep = await state(namespace, 'chat', 'Idle');
    expect(findCondition(asleep.status?.conditions, 'Ready')?.status).toBe('True');
    expect(findCondition(asleep.status?.conditions, 'Available')).toMatchObject({
      status: 'True',
      reason: 'Idle',
    });
    expect(await world.pods(namespace, 'engine')).toEqual([]);

    expect(await chat(namespace, 'chat')).not.toBe('');
    await state(namespace, 'chat', 'Serving');
    await state(namespace, 'chat', 'Idle');
    await expect
      .poll(async () => (await world.pods(namespace, 'engine')).length, { message: 'no engine is left' })
      .toBe(0);
    expect(await chat(namespace, 'chat')).not.toBe('');
    await expect
      .poll(
        async () => {
          const told = await reasons(namespace, 'chat');
          return told.includes('Woken') && told.includes('Slept');
        },
        { message: 'events tell of it' },
      )
      .toBeTruthy();
  });

  it('is listed while it sleeps, and listing does not wake it', async () => {
    const namespace = await world.namespace();
    await world.createPool(namespace);
    await world.createModel(namespace, 'chat', { scaling: sleepy });
    await world.poolReady(namespace);
    const client = await world.openai(namespace);
    const names = (await client.models.list()).data.map(({ id }) => id);
    expect(names).toEqual(['chat']);
    expect((await state(namespace, 'chat', 'Idle')).status?.replicas).toBe(0);
  });

  it('tells client and owner why it cannot wake, and wakes once that is mended', async () => {
    const namespace = await world.namespace();
    await world.createPool(namespace);
    await world.createModel(namespace, 'chat', {
      scaling: sleepy,
      engine: { image: 'example.com/none/engine:1', version: '0.28.0' },
    });
    await world.poolReady(namespace);
    await state(namespace, 'chat', 'Idle');
    await expect(chat(namespace, 'chat')).rejects.toMatchObject({
      status: 503,
      message: expect.stringContaining('ImagePullFailed'),
    });
    const model = await world.modelCondition(namespace, 'chat', 'Available', 'False', 'ImagePullFailed');
    expect(findCondition(model.status?.conditions, 'Available')?.message).toContain('the last wake failed');
    expect(await reasons(namespace, 'chat')).toContain('WakeFailed');
    await world.patchModel(namespace, 'chat', { engine: { image: 'vllm/vllm-openai:v0.28.0' } });
    await expect
      .poll(async () => (await chat(namespace, 'chat')) !== '', { message: 'it answers' })
      .toBe(true);
  });
});

describe('a budget', () => {
  it('for one is taken in turns, without a failed request', async () => {
    const namespace = await world.namespace();
    await world.createPool(namespace, { capacity: { accelerators: 1, overcommit: true } });
    for (const name of ['one', 'two'])
      await world.createModel(namespace, name, { scaling: { ...sleepy, idleTimeout: '10m' } });
    await world.poolReady(namespace);
    expect(await chat(namespace, 'one')).not.toBe('');
    expect(await chat(namespace, 'two')).not.toBe('');
    expect(await chat(namespace, 'one')).not.toBe('');
    expect((await world.pods(namespace, 'engine')).length).toBeLessThanOrEqual(2);
    await expect
      .poll(async () => (await reasons(namespace, 'two')).includes('Evicted'), {
        message: 'events name who made room',
      })
      .toBeTruthy();
  });

  it('is given up by a model that runs while its new spec is refused', async () => {
    const namespace = await world.namespace();
    await world.createPool(namespace, { capacity: { accelerators: 1, overcommit: true } });
    for (const name of ['one', 'two'])
      await world.createModel(namespace, name, { scaling: { ...sleepy, idleTimeout: '10m' } });
    await world.poolReady(namespace);
    expect(await chat(namespace, 'one')).not.toBe('');
    await world.patchModel(namespace, 'one', { model: { servedNames: ['one', 'two'] } });
    await world.until<InferenceModel>(
      INFERENCE_MODELS,
      namespace,
      'one',
      'is refused',
      ({ status }) => findCondition(status?.conditions, 'Accepted')?.reason === 'ServedNameConflict',
    );
    expect(await chat(namespace, 'two')).not.toBe('');
  });
});

describe('between one and N', () => {
  it('grows with the load', async () => {
    const namespace = await world.namespace();
    await world.createPool(namespace);
    await world.createModel(namespace, 'chat', {
      scaling: { minReplicas: 1, maxReplicas: 3, target: 2, mode: 'Internal' },
      // All engines are slower than any client, so that requests are at an engine and not on their way.
      engine: { env: [{ name: 'VLLM_SIM_SLOW_FACTOR', value: '10' }] },
    });
    await world.modelReady(namespace, 'chat');
    const load = { askers: 0, streamers: 8, tokens: 200 };
    const traffic = new Traffic(await world.openai(namespace), 'chat', load);
    await world.until<InferenceModel>(
      INFERENCE_MODELS,
      namespace,
      'chat',
      'has 3 replicas ready',
      ({ status }) => status?.readyReplicas === 3,
    );
    await traffic.stop();
    expect(traffic.failures).toEqual([]);
    expect(await reasons(namespace, 'chat')).toContain('Scaled');
  });

  it('follows what KEDA writes to /scale, as in examples/keda.yaml', async () => {
    const text = readFileSync(new URL('../../examples/keda.yaml', import.meta.url), 'utf8');
    const manifests = parseAllDocuments(text).map((document) => document.toJS());
    const scaler = manifests.find(({ kind }) => kind === 'ScaledObject');
    const model = manifests.find(({ kind }) => kind === INFERENCE_MODELS.kind);
    const pool = manifests.find(({ kind }) => kind === INFERENCE_POOLS.kind);
    const { scaleTargetRef } = scaler.spec;
    expect(scaleTargetRef).toEqual({
      apiVersion: model.apiVersion,
      kind: model.kind,
      name: model.metadata.name,
    });

    const namespace = await world.namespace();
    await world.createPool(namespace, pool.spec);
    await world.createModel(namespace, 'summarizer', { ...model.spec, poolRef: { name: 'pool' } });
    await world.modelReady(namespace, 'summarizer');
    for (const replicas of [scaler.spec.maxReplicaCount, scaler.spec.minReplicaCount]) {
      await world.client.patch(
        INFERENCE_MODELS,
        { namespace, name: 'summarizer' },
        { merge: { spec: { replicas } } },
        { subresource: 'scale' },
      );
      await world.until<Deployment>(
        DEPLOYMENTS,
        namespace,
        'vllm-summarizer',
        `has ${replicas} replicas`,
        ({ spec, status }) => spec.replicas === replicas && (status?.readyReplicas ?? 0) === replicas,
      );
    }
    const { status } = await world.modelReady(namespace, 'summarizer');
    expect(findCondition(status?.conditions, 'ScalingReady')).toMatchObject({
      status: 'True',
      reason: 'External',
    });
  });
});
