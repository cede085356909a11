/** What is first come, first served in a pool stays with whoever had it first, whatever both sides do to their objects. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { INFERENCE_MODELS, INFERENCE_POOLS, type InferenceModel } from '../../../operator/api/types.ts';
import type { ConfigMap, Deployment } from '../../../operator/controllers/shared/workloads.ts';
import { isTrue } from '../../../operator/kube/conditions.ts';
import { CONFIG_MAPS, DEPLOYMENTS } from '../../../operator/kube/resource-types.ts';
import { Harness, type RunningOperator } from './support/harness.ts';

let harness: Harness;
let operator: RunningOperator;

beforeAll(async () => {
  harness = await Harness.start();
  operator = await harness.startOperator();
});
afterAll(() => harness.close());

const named = (...servedNames: string[]) => ({ model: { source: 'hf://a/b', servedNames } });

const edit = async (namespace: string, name: string, spec: object) =>
  await harness.client.patch<InferenceModel>(INFERENCE_MODELS, { namespace, name }, { merge: { spec } });

/** A pool for everybody, and the namespaces of two teams. */
async function sharedPool(spec: Record<string, unknown> = {}) {
  const [platform, a, b] = [
    await harness.namespace(),
    await harness.namespace(),
    await harness.namespace({ tenant: 'yes' }),
  ];
  await harness.createPool(platform, { allowedNamespaces: { from: 'All' }, ...spec });
  const model = async (namespace: string, name: string, more: Record<string, unknown>) =>
    await harness.createModel(namespace, name, { poolRef: { name: 'pool', namespace: platform }, ...more });
  return { platform, a, b, model };
}

/** Team b serves `chat`; team a, whose model is older, was refused the name and goes on asking for it. */
async function contested(spec: Record<string, unknown> = {}) {
  const shared = await sharedPool(spec);
  const { a, b, model } = shared;
  await model(a, 'older', named('own'));
  await harness.untilCondition(a, 'older', 'Accepted', 'True');
  await model(b, 'holder', named('chat'));
  await harness.untilCondition(b, 'holder', 'Accepted', 'True');
  await edit(a, 'older', named('own', 'chat'));
  await harness.untilCondition(a, 'older', 'Accepted', 'False', 'ServedNameConflict');
  return shared;
}

async function stillConflicts(namespace: string, name: string): Promise<void> {
  await harness.settled(operator);
  await harness.untilCondition(namespace, name, 'Accepted', 'False', 'ServedNameConflict');
}

describe('a served name', () => {
  it('stays with its model when that is edited', async () => {
    const { a, b } = await contested();
    await edit(b, 'holder', { priority: 5 });
    await harness.untilCondition(b, 'holder', 'Accepted', 'True');
    await stillConflicts(a, 'older');
  });

  it('stays with a model that is deleted and created again', async () => {
    const { a, b, model } = await contested();
    await harness.client.delete(INFERENCE_MODELS, { namespace: b, name: 'holder' });
    await model(b, 'holder', named('chat'));
    await harness.untilCondition(b, 'holder', 'Accepted', 'True');
    await stillConflicts(a, 'older');
  });

  it('stays with its model when an edit asks for too much and when another operator takes over', async () => {
    const { a, b } = await contested();
    await edit(b, 'holder', named('chat', 'own'));
    await harness.untilCondition(b, 'holder', 'Accepted', 'False', 'ServedNameConflict');
    await operator.stop();
    operator = await harness.startOperator();
    await edit(b, 'holder', named('chat'));
    await harness.untilCondition(b, 'holder', 'Accepted', 'True');
    await stillConflicts(a, 'older');
  });

  it('is free once its model asks for it no longer', async () => {
    const { a, b } = await contested();
    await edit(b, 'holder', named('talk'));
    await harness.untilCondition(a, 'older', 'Accepted', 'True');
    await harness.untilCondition(b, 'holder', 'Accepted', 'True');
  });

  it('is free once its model has moved to another pool', async () => {
    const { a, b, platform } = await contested();
    await harness.createPool(platform, { allowedNamespaces: { from: 'All' } }, 'second');
    await edit(b, 'holder', { poolRef: { name: 'second', namespace: platform } });
    await harness.untilCondition(b, 'holder', 'Accepted', 'True');
    await harness.untilCondition(a, 'older', 'Accepted', 'True');
  });

  it('is recorded where no team can write, and only while it is held', async () => {
    const { b, platform } = await contested();
    const recorded = async () => {
      const { items } = await harness.client.list<ConfigMap>(CONFIG_MAPS, {
        namespace: platform,
        labelSelector: 'app.kubernetes.io/component=grants',
      });
      return items.map(({ data }) => Object.values(data ?? {}).join('')).join('\n');
    };
    expect(await recorded()).toContain('"chat"');
    await edit(b, 'holder', named('talk'));
    await expect
      .poll(async () => (await recorded()).includes('"talk"'), { message: 'the new name is recorded' })
      .toBeTruthy();
  });
});

describe('a grant record', () => {
  it('is rewritten after a foreign write, such as a late request of a former leader', async () => {
    const { b, platform } = await contested();
    await harness.settled(operator);
    const name = `grants.${b}.pool`;
    const before = await harness.client.get<ConfigMap>(CONFIG_MAPS, { namespace: platform, name });
    const late = JSON.stringify({ version: 1, namespace: b, models: {}, keys: [] });
    await harness.client.patch(
      CONFIG_MAPS,
      { namespace: platform, name },
      { merge: { data: { 'grants.json': late } } },
    );
    const { data = {} } = await harness.until<ConfigMap>(
      CONFIG_MAPS,
      platform,
      name,
      'has the name again',
      (record) => record.data?.['grants.json'] !== late,
    );
    const held = (text = '{}') => JSON.parse(text).models;
    expect(held(data['grants.json'])).toEqual(held(before.data?.['grants.json']));
  });
});

/** Engines that the Deployments of these models ask for. */
async function replicas(namespace: string): Promise<number> {
  const { items } = await harness.client.list<Deployment>(DEPLOYMENTS, {
    namespace,
    labelSelector: 'app.kubernetes.io/component=engine',
  });
  return items.reduce((sum, { spec }) => sum + (spec.replicas ?? 1), 0);
}

describe('the budget of a pool', () => {
  it('is not exceeded by models that come together, and settles ties once', async () => {
    const { a, model } = await sharedPool({ capacity: { accelerators: 2 } });
    const names = ['c-one', 'b-two', 'a-three', 'z-four'];
    for (const name of names) await model(a, name, {});
    await harness.settled(operator);
    const accepted = async () => {
      const { items } = await harness.client.list<InferenceModel>(INFERENCE_MODELS, { namespace: a });
      return items.filter(({ status }) => isTrue(status?.conditions, 'Accepted')).map((m) => m.metadata.name);
    };
    const first = await accepted();
    expect(first).toHaveLength(2);
    expect(await replicas(a)).toBe(2);
    await operator.stop();
    operator = await harness.startOperator();
    await harness.settled(operator);
    expect(await accepted()).toEqual(first);
    expect(await replicas(a)).toBe(2);
  });

  it('stays with a model whose change requests more than is available', async () => {
    const { a, b, model } = await sharedPool({ capacity: { accelerators: 2 } });
    await model(a, 'first', {});
    await harness.untilCondition(a, 'first', 'Accepted', 'True');
    await edit(a, 'first', { scaling: { replicas: 3 } });
    await harness.untilCondition(a, 'first', 'Accepted', 'False', 'QuotaExceeded');
    await model(b, 'second', { scaling: { replicas: 2 } });
    await harness.untilCondition(b, 'second', 'Accepted', 'False', 'QuotaExceeded');
    await edit(b, 'second', { scaling: { replicas: 1 } });
    await harness.untilCondition(b, 'second', 'Accepted', 'True');
    expect((await replicas(a)) + (await replicas(b))).toBe(2);
  });

  it('is given up by a model that is being deleted, whatever finalizer keeps the model itself', async () => {
    const { a, b, model } = await sharedPool({ capacity: { accelerators: 1, overcommit: true } });
    await model(a, 'first', {});
    await expect.poll(async () => await replicas(a), { message: 'it runs' }).toBe(1);
    const key = { namespace: a, name: 'first' };
    const keep = async (finalizers: string[]) =>
      await harness.client.patch(INFERENCE_MODELS, key, { merge: { metadata: { finalizers } } });
    await keep(['example.com/keep']);
    await harness.client.delete(INFERENCE_MODELS, key);
    await model(b, 'second', {});
    await expect.poll(async () => await replicas(b), { message: 'another has the room' }).toBe(1);
    expect(await replicas(a)).toBe(0);
    await keep([]);
  });

  it('is given up by a model that has the finalizer of an orphaning deletion, and is not being deleted', async () => {
    const { a, b, model } = await sharedPool({ capacity: { accelerators: 1, overcommit: true } });
    await model(a, 'first', {});
    await expect.poll(async () => await replicas(a), { message: 'it runs' }).toBe(1);
    const key = { namespace: a, name: 'first' };
    await harness.client.patch(INFERENCE_MODELS, key, { merge: { metadata: { finalizers: ['orphan'] } } });
    await harness.settled(operator);
    await edit(a, 'first', { suspend: true });
    await expect.poll(async () => await replicas(a), { message: 'it is suspended' }).toBe(0);
    await model(b, 'second', {});
    await expect.poll(async () => await replicas(b), { message: 'another has the room' }).toBe(1);
  });
});

describe('a namespace', () => {
  it('that is no longer admitted has nothing that runs', async () => {
    const { a, b, platform, model } = await sharedPool({ capacity: { accelerators: 1 } });
    await model(a, 'first', {});
    await harness.untilCondition(a, 'first', 'Accepted', 'True');
    await model(b, 'second', {});
    await harness.untilCondition(b, 'second', 'Accepted', 'False', 'QuotaExceeded');
    await harness.client.patch(
      INFERENCE_POOLS,
      { namespace: platform, name: 'pool' },
      {
        merge: {
          spec: { allowedNamespaces: { from: 'Selector', selector: { matchLabels: { tenant: 'yes' } } } },
        },
      },
    );
    await harness.untilCondition(a, 'first', 'Accepted', 'False', 'NamespaceNotAllowed');
    await expect.poll(async () => await replicas(a), { message: 'the engines are told to stop' }).toBe(0);
    await expect.poll(async () => await replicas(b), { message: 'the other team has the room' }).toBe(1);
  });

  it('may have so many models in a pool, and no more', async () => {
    const { a, model } = await sharedPool({ capacity: { modelsPerNamespace: 1 } });
    await model(a, 'first', { suspend: true });
    await harness.untilCondition(a, 'first', 'Accepted', 'True');
    await model(a, 'second', { suspend: true });
    await harness.untilCondition(a, 'second', 'Accepted', 'False', 'QuotaExceeded');
    await harness.client.delete(INFERENCE_MODELS, { namespace: a, name: 'first' });
    await harness.untilCondition(a, 'second', 'Accepted', 'True');
  });
});
