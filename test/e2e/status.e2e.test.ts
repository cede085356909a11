/** What a pool and a model say when their pods cannot run: the cause, in words, where `kubectl get` shows it. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  INFERENCE_MODELS,
  INFERENCE_POOLS,
  type InferenceModel,
  type InferencePool,
} from '../../operator/api/types.ts';
import { findCondition } from '../../operator/kube/conditions.ts';
import type { KubeObject } from '../../operator/kube/object.ts';
import { CONFIG_MAPS, EVENTS, NAMESPACES } from '../../operator/kube/resource-types.ts';
import { World } from './support/world.ts';

let world: World;
let namespace: string;

beforeAll(async () => {
  world = await World.start();
  namespace = await world.namespace();
  await world.createPool(namespace, { allowedNamespaces: { from: 'All' } });
  await world.poolReady(namespace);
});
afterAll(() => world?.close());

async function stalledPool(of: string, reason: string): Promise<string> {
  const pool = await world.until<InferencePool>(INFERENCE_POOLS, of, 'pool', `is ${reason}`, ({ status }) => {
    const stalled = findCondition(status?.conditions, 'Stalled');
    return stalled?.status === 'True' && stalled.reason === reason;
  });
  return findCondition(pool.status?.conditions, 'Ready')?.message ?? '';
}

async function warnings(name: string): Promise<string[]> {
  const { items } = await world.client.list<
    KubeObject & { type: string; reason: string; regarding: { name: string } }
  >(EVENTS, { namespace });
  return items
    .filter(({ type, regarding }) => type === 'Warning' && regarding.name === name)
    .map(({ reason }) => reason);
}

describe('a model', () => {
  it('names the ConfigMap that a volume lacks, and starts once it is there', async () => {
    await world.createModel(namespace, 'vl', {
      template: {
        volumes: [{ name: 'tpl', configMap: { name: 'chat-template' } }],
        volumeMounts: [{ name: 'tpl', mountPath: '/etc/tpl' }],
      },
    });
    const model = await world.modelCondition(namespace, 'vl', 'Stalled', 'True', 'VolumeMountFailed');
    const message = findCondition(model.status?.conditions, 'Ready')?.message;
    expect(message).toContain('configmap "chat-template" not found');
    await expect
      .poll(async () => (await warnings('vl')).includes('VolumeMountFailed'), {
        message: 'there is a warning',
      })
      .toBeTruthy();
    const metadata = { name: 'chat-template', namespace };
    const template = { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { 'chat.jinja': 'x' } };
    await world.client.create(CONFIG_MAPS, template as KubeObject);
    await world.modelReady(namespace, 'vl');
  });

  it('names the claim that does not exist', async () => {
    await world.createModel(namespace, 'claimless', {
      model: { source: 'hf://Qwen/Qwen2.5-0.5B-Instruct', cache: { pvc: { claimName: 'weights' } } },
    });
    const model = await world.modelCondition(namespace, 'claimless', 'Stalled', 'True', 'VolumeMountFailed');
    expect(findCondition(model.status?.conditions, 'Ready')?.message).toContain(
      'persistentvolumeclaim "weights" not found',
    );
  });

  it('that failed to wake has the last lines of the log, when its pods are gone, and clients do not', async () => {
    await world.createModel(namespace, 'zerocrash', {
      engine: { env: [{ name: 'VLLM_SIM_FAIL_START', value: 'oom' }] },
      scaling: { minReplicas: 0, maxReplicas: 1, idleTimeout: '20s' },
    });
    await world.modelReady(namespace, 'zerocrash');
    const client = await world.openai(namespace);
    const asked = client.chat.completions.create({
      model: 'zerocrash',
      messages: [{ role: 'user', content: 'hello' }],
    });
    const refused = await asked.then(
      () => 'answered',
      (error: unknown) => String(error),
    );
    const model = await world.until<InferenceModel>(
      INFERENCE_MODELS,
      namespace,
      'zerocrash',
      'has gone back to zero',
      ({ status }) =>
        status?.state === 'Idle' && findCondition(status.conditions, 'Stalled')?.reason === 'EngineCrashed',
    );
    const message = findCondition(model.status?.conditions, 'Ready')?.message ?? '';
    expect(message).toMatch(/its last lines: .*out of memory/i);
    expect(message).not.toContain('--previous');
    expect(refused).toMatch(/503.*EngineCrashed/);
    expect(refused).not.toMatch(/last lines|vllm-zerocrash/);
  });
});

describe('a pool', () => {
  it('whose routers cannot be pulled says so', async () => {
    const other = await world.namespace();
    await world.createPool(other, { router: { image: 'example.com/none/nothing:1' } });
    expect(await stalledPool(other, 'ImagePullFailed')).toContain('example.com/none/nothing:1');
  });

  it('whose TLS Secret does not exist names it', async () => {
    const other = await world.namespace();
    await world.createPool(other, { router: { tls: { secretName: 'router-tls' } } });
    expect(await stalledPool(other, 'VolumeMountFailed')).toContain('secret "router-tls" not found');
  });

  it('is called neither starting nor broken while its namespace is deleted: Kubernetes ends the pods first', async () => {
    const namespace = await world.namespace();
    await world.createPool(namespace);
    await world.createModel(namespace, 'm7b');
    await world.modelReady(namespace, 'm7b');
    await world.client.delete(NAMESPACES, { name: namespace });
    const isDeleting = ({ status }: InferencePool | InferenceModel) =>
      findCondition(status?.conditions, 'Ready')?.reason === 'Deleting';
    await Promise.all([
      world.until<InferencePool>(INFERENCE_POOLS, namespace, 'pool', 'is Deleting', isDeleting),
      world.until<InferenceModel>(INFERENCE_MODELS, namespace, 'm7b', 'is Deleting', isDeleting),
    ]);
    await world.untilGone(NAMESPACES, '', namespace);
  });

  it('whose namespace is deleted names the models that hold it, which are not available any more', async () => {
    const [platform, team] = [await world.namespace(), await world.namespace()];
    await world.createPool(platform, { allowedNamespaces: { from: 'All' } });
    await world.createModel(team, 'm7b', { poolRef: { name: 'pool', namespace: platform } });
    await world.modelReady(team, 'm7b');
    await world.client.delete(NAMESPACES, { name: platform });
    await world.modelCondition(team, 'm7b', 'Available', 'False', 'RoutersNotReady');
    const pool = await world.until<InferencePool>(
      INFERENCE_POOLS,
      platform,
      'pool',
      'names the model',
      ({ status }) => findCondition(status?.conditions, 'Ready')?.message.includes(`${team}/m7b`),
    );
    expect(findCondition(pool.status?.conditions, 'Ready')?.reason).toBe('Deleting');
    expect(findCondition(pool.status?.conditions, 'Stalled')?.status).toBe('False');
    await world.client.delete(INFERENCE_MODELS, { namespace: team, name: 'm7b' });
    await world.untilGone(NAMESPACES, '', platform);
  });
});

it('the operator had nothing to complain about', async () => {
  expect(await world.errors()).toEqual([]);
});
