/** Nodes that are taken away: another engine first where the budget allows, and no request fails. */
import type OpenAI from 'openai';
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import { gpuNode } from '../../hack/devcluster/node/node-spec.ts';
import { type Deployment, isReady, type Pod } from '../../operator/controllers/shared/workloads.ts';
import type { KubeObject } from '../../operator/kube/object.ts';
import { DEPLOYMENTS, EVENTS, NODES } from '../../operator/kube/resource-types.ts';
import { CLUSTER_PATIENCE } from '../support/patience.ts';
import { control } from './support/engines.ts';
import { ask, type StreamOutcome, stream, streamFailure, Traffic } from './support/traffic.ts';
import { World } from './support/world.ts';

const SPOT_NODES = ['spot-0', 'spot-1'];
const NOTICE = { key: 'aws-node-termination-handler/spot-itn', effect: 'NoSchedule' };
const TOKENS = 1_600;
/** So slow that a stream ends only after this is taken back. */
const SLOW = { slowFactor: 200 };

let world: World;

beforeAll(async () => {
  world = await World.start({
    nodes: [{ name: 'cpu-0' }, ...SPOT_NODES.map((name) => gpuNode(name, 'NVIDIA-L4', 2))],
  });
});
afterAll(() => world?.close());
afterEach(async () => {
  for (const name of SPOT_NODES) await node(name, { taints: null, unschedulable: null });
});

async function node(name: string, spec: object): Promise<void> {
  await world.client.patch(NODES, { name }, { merge: { spec } });
}

/** A pool of spot nodes with a model of one engine that serves. */
async function serve(capacity: object): Promise<{ namespace: string; engine: Pod }> {
  const namespace = await world.namespace();
  await world.createPool(namespace, { accelerator: { type: 'L4', spot: true }, capacity });
  await world.createModel(namespace, 'chat', { scaling: { replicas: 1 } });
  await world.poolReady(namespace);
  await world.modelReady(namespace, 'chat');
  const [engine] = await world.pods(namespace, 'engine');
  if (!engine) throw new Error('there is no engine');
  return { namespace, engine };
}

/** Slows the engine down and resolves once a stream has begun there. */
async function slowStream(client: OpenAI, engine: Pod): Promise<{ ends: Promise<StreamOutcome> }> {
  await control(engine, SLOW);
  const started = Promise.withResolvers<void>();
  const ends = stream(client, 'chat', { tokens: TOKENS, onChunk: () => started.resolve() });
  await started.promise;
  return { ends };
}

async function told(namespace: string, reason: string): Promise<string> {
  return await vi.waitFor(async () => {
    const { items } = await world.client.list<KubeObject & { reason: string; note: string }>(EVENTS, {
      namespace,
    });
    const event = items.find((item) => item.reason === reason);
    if (!event) throw new Error(`there is no event ${reason}`);
    return event.note;
  }, CLUSTER_PATIENCE);
}

async function engines(namespace: string): Promise<Map<string, Pod>> {
  return new Map((await world.pods(namespace, 'engine')).map((pod) => [pod.metadata.name, pod]));
}

it('an engine is replaced before its node goes, and its streams run to their end', async () => {
  const { namespace, engine } = await serve({});
  const { name } = engine.metadata;
  const [other = ''] = SPOT_NODES.filter((spot) => spot !== engine.spec.nodeName);
  const client = await world.openai(namespace);
  const traffic = new Traffic(client, 'chat');
  await expect
    .poll(() => traffic.answered > 5 && traffic.streamed > 1, { message: 'there is traffic' })
    .toBeTruthy();
  const long = await slowStream(client, engine);

  // No other node can take an engine yet.
  await node(other, { unschedulable: true });
  await node(engine.spec.nodeName ?? '', { taints: [NOTICE] });
  expect(await told(namespace, 'EvictionNotice')).toMatch(
    new RegExp(`${name} on node ${engine.spec.nodeName} \\(${NOTICE.key}\\): a replacement starts now`),
  );
  const replacement = await vi.waitFor(async () => {
    const pod = [...(await engines(namespace)).values()].find(({ metadata }) => metadata.name !== name);
    if (!pod) throw new Error('no replacement waits for a node');
    return pod;
  }, CLUSTER_PATIENCE);
  expect(replacement.spec.nodeName).toBeUndefined();
  const { answered } = traffic;
  await expect
    .poll(() => traffic.answered > answered + 5, { message: 'the old engine goes on answering' })
    .toBe(true);
  expect(await ask(client, 'chat')).toBe(name);
  const deployment = await world.client.get<Deployment>(DEPLOYMENTS, { namespace, name: 'vllm-chat' });
  expect(deployment.spec.replicas).toBe(1);
  const released = (await engines(namespace)).get(name);
  expect(released?.metadata.deletionTimestamp).toBeUndefined();
  expect(released?.metadata.ownerReferences).toMatchObject([
    { kind: 'Deployment', uid: deployment.metadata.uid },
  ]);

  await node(other, { unschedulable: null });
  await expect
    .poll(async () => await ask(client, 'chat'), { message: 'the replacement answers' })
    .toBe(replacement.metadata.name);
  await told(namespace, 'Evacuated');
  await expect
    .poll(async () => (await engines(namespace)).get(name)?.metadata.deletionTimestamp !== undefined, {
      message: 'the old engine is told to go',
    })
    .toBe(true);
  await control(engine, { slowFactor: 1 });
  const outcome = await long.ends;
  expect([streamFailure(outcome, TOKENS), outcome.pod]).toEqual([undefined, name]);
  await expect
    .poll(async () => !(await engines(namespace)).has(name), { message: 'the old engine is gone' })
    .toBe(true);
  await traffic.stop();

  expect(traffic.failures).toEqual([]);
  const [left, ...others] = (await engines(namespace)).values();
  expect(others).toEqual([]);
  expect(left?.metadata.name).toBe(replacement.metadata.name);
  expect(left?.spec.nodeName).toBe(other);
});

it('without room in the budget the engine finishes what it has first, and requests wait for the next', async () => {
  const { namespace, engine } = await serve({ accelerators: 1 });
  const { name } = engine.metadata;
  const client = await world.openai(namespace);
  const long = await slowStream(client, engine);

  await node(engine.spec.nodeName ?? '', { taints: [NOTICE] });
  expect(await told(namespace, 'EvictionNotice')).toContain('no room for a replacement');
  const answers = new Set<string>();
  const waiting = vi.waitFor(async () => {
    const pod = await ask(client, 'chat');
    answers.add(pod);
    expect(pod, 'a request is held until another engine serves').not.toBe(name);
  }, CLUSTER_PATIENCE);
  await expect
    .poll(
      async () => {
        const pods = [...(await engines(namespace)).values()];
        return pods.length === 1 && pods.every((pod) => pod.metadata.name === name && isReady(pod));
      },
      { message: 'the model says that it is still there' },
    )
    .toBeTruthy();
  await control(engine, { slowFactor: 1 });
  const outcome = await long.ends;
  expect([streamFailure(outcome, TOKENS), outcome.pod]).toEqual([undefined, name]);
  await waiting;
  const [next] = [...(await engines(namespace)).values()].filter(isReady);
  expect(next?.spec.nodeName).not.toBe(engine.spec.nodeName);
});

it('the operators had nothing to complain about', async () => {
  expect(await world.errors()).toEqual([]);
});
