import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { APIError } from 'openai';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { INFERENCE_MODELS, INFERENCE_POOLS } from '../../operator/api/types.ts';
import type { Deployment } from '../../operator/controllers/shared/workloads.ts';
import { findCondition, isTrue } from '../../operator/kube/conditions.ts';
import type { KubeObject, ResourceType } from '../../operator/kube/object.ts';
import {
  CONFIG_MAPS,
  DEPLOYMENTS,
  NAMESPACES,
  NETWORK_POLICIES,
  POD_DISRUPTION_BUDGETS,
  PODS,
  REPLICA_SETS,
  SERVICE_ACCOUNTS,
  SERVICES,
} from '../../operator/kube/resource-types.ts';
import { identities } from './support/engines.ts';
import { processesOfPod, processesUnder } from './support/processes.ts';
import { ask, Traffic } from './support/traffic.ts';
import { World } from './support/world.ts';

const KINDS = [
  DEPLOYMENTS,
  REPLICA_SETS,
  PODS,
  SERVICES,
  CONFIG_MAPS,
  SERVICE_ACCOUNTS,
  POD_DISRUPTION_BUDGETS,
  NETWORK_POLICIES,
];

let world: World;

beforeAll(async () => {
  world = await World.start();
});
afterAll(() => world?.close());

/** A namespace with a pool and a model that serves. */
async function serving(pool: Record<string, unknown> = {}) {
  const namespace = await world.namespace();
  await world.createPool(namespace, { router: { replicas: 1 }, ...pool });
  await world.createModel(namespace, 'model');
  await world.poolReady(namespace);
  await world.modelReady(namespace, 'model');
  const client = await world.openai(namespace);
  // What says that it is ready is, at once.
  await ask(client, 'model');
  return { namespace, client };
}

/** What of ours is in a namespace, as `Kind name`. */
async function ours(namespace: string): Promise<string[]> {
  const lists = await Promise.all(
    KINDS.map(async (type) => {
      const labelSelector = 'app.kubernetes.io/managed-by=vllm-operator';
      const { items } = await world.client.list(type, { namespace, labelSelector });
      return items.map(({ metadata }) => `${type.kind} ${metadata.name}`);
    }),
  );
  return lists.flat().sort();
}

it.concurrent('a pool and its model go without a trace, in whichever order they are deleted', async ({
  expect,
}) => {
  const { namespace } = await serving();
  const pods = (await world.client.list(PODS, { namespace })).items.map(({ metadata }) => metadata.name);
  const processes = () => pods.flatMap((pod) => processesOfPod(pod));
  expect(processes().length).toBeGreaterThan(3);

  await world.client.delete(INFERENCE_POOLS, { namespace, name: 'pool' });
  await world.client.delete(INFERENCE_MODELS, { namespace, name: 'model' });

  await world.untilGone(INFERENCE_MODELS, namespace, 'model');
  await world.untilGone(INFERENCE_POOLS, namespace, 'pool');
  await expect
    .poll(async () => (await ours(namespace)).length, { message: 'nothing of ours is left' })
    .toBe(0);
  await expect.poll(() => processes().length, { message: 'their processes have ended' }).toBe(0);
  const { items } = await world.client.list(CONFIG_MAPS, { namespace });
  expect(items.map(({ metadata }) => metadata.name)).toEqual(['kube-root-ca.crt']);
});

it.concurrent('a pool in use stays, says why, and serves until its last model is gone', async ({
  expect,
}) => {
  const { namespace, client } = await serving();
  await world.client.delete(INFERENCE_POOLS, { namespace, name: 'pool' });

  const pool = await world.until<KubeObject & { status?: { conditions?: never } }>(
    INFERENCE_POOLS,
    namespace,
    'pool',
    'says that it is in use',
    ({ status }) => findCondition(status?.conditions, 'Ready')?.reason === 'Deleting',
  );
  expect(findCondition(pool.status?.conditions, 'Ready')?.message).toContain(`${namespace}/model`);
  await ask(client, 'model');

  await world.client.delete(INFERENCE_MODELS, { namespace, name: 'model' });
  await world.untilGone(INFERENCE_POOLS, namespace, 'pool');
  await expect
    .poll(async () => (await ours(namespace)).length, { message: 'nothing of ours is left' })
    .toBe(0);
});

it.concurrent('a suspended model holds no accelerators and says so to clients, until it is resumed', async ({
  expect,
}) => {
  const { namespace, client } = await serving();

  await world.patchModel(namespace, 'model', { suspend: true });
  const suspended = await world.until<KubeObject & { status?: { state?: string; accelerators?: number } }>(
    INFERENCE_MODELS,
    namespace,
    'model',
    'is suspended',
    ({ status }) => status?.state === 'Suspended',
  );
  expect(suspended.status).toMatchObject({ accelerators: 0, replicas: 0, desiredReplicas: 0 });
  expect(await world.pods(namespace, 'engine', 'model')).toEqual([]);
  const error: unknown = await ask(client, 'model').catch((reason: unknown) => reason);
  expect(error).toMatchObject({ status: 503, message: expect.stringContaining('Suspended') });
  expect(error instanceof APIError && error.headers?.get('retry-after')).toMatch(/^\d+$/);
  expect((await client.models.list()).data.map(({ id }) => id)).toEqual(['model']);

  await world.patchModel(namespace, 'model', { suspend: false });
  await world.modelReady(namespace, 'model');
  await expect.poll(() => ask(client, 'model'), { message: 'it answers' }).toBeTruthy();
});

it.concurrent('a model that moves to another pool is served there, and no longer here', async ({
  expect,
}) => {
  const { namespace, client } = await serving();
  await world.createPool(namespace, { router: { replicas: 1 } }, 'other');
  await world.poolReady(namespace, 'other');

  await world.patchModel(namespace, 'model', { poolRef: { name: 'other' } });
  const other = await world.openai(namespace, 'other');
  await expect.poll(() => ask(other, 'model'), { message: 'the other pool answers' }).toBeTruthy();

  await expect
    .poll(
      () =>
        ask(client, 'model').then(
          () => false,
          (error: { status?: number }) => error.status === 404,
        ),
      { message: 'the first pool does not know it' },
    )
    .toBeTruthy();
  const moved = await world.modelReady(namespace, 'model');
  expect(moved.status?.url).toBe(`http://other-router.${namespace}.svc/v1`);
  await world.client.delete(INFERENCE_POOLS, { namespace, name: 'pool' });
  await world.untilGone(INFERENCE_POOLS, namespace, 'pool');
  await ask(other, 'model');
});

it.concurrent('a namespace that a pool does not admit is told so, and served once it does', async ({
  expect,
}) => {
  const { namespace, client } = await serving({
    allowedNamespaces: { from: 'Selector', selector: { matchLabels: { models: 'allowed' } } },
  });
  const team = await world.namespace();
  await world.createModel(team, 'stranger', { poolRef: { name: 'pool', namespace } });

  const refused = await world.modelCondition(team, 'stranger', 'Accepted', 'False', 'NamespaceNotAllowed');
  expect(findCondition(refused.status?.conditions, 'Stalled')?.message).toContain('label the namespace');
  expect(await ours(team)).toEqual([]);
  await expect(ask(client, 'stranger')).rejects.toMatchObject({ status: 404 });

  await world.client.patch(
    NAMESPACES,
    { name: team },
    { merge: { metadata: { labels: { models: 'allowed' } } } },
  );
  await world.modelReady(team, 'stranger');
  await expect.poll(() => ask(client, 'stranger'), { message: 'it answers' }).toBeTruthy();
});

it.concurrent('what is deleted by mistake comes back, and no request fails but for engines', async ({
  expect,
  onTestFinished,
}) => {
  const { namespace, client } = await serving();
  const traffic = new Traffic(client, 'model', { askers: 1, streamers: 1, onTestFinished });
  const [configMap] = (await world.client.list(CONFIG_MAPS, { namespace })).items.filter(({ metadata }) =>
    metadata.name.startsWith('pool-router-'),
  );
  const routers = identities(await world.pods(namespace, 'router'));
  const children: [ResourceType, string][] = [
    [SERVICES, 'vllm-model'],
    [SERVICE_ACCOUNTS, 'vllm-model'],
    [POD_DISRUPTION_BUDGETS, 'vllm-model'],
    [NETWORK_POLICIES, 'vllm-model'],
    [CONFIG_MAPS, configMap?.metadata.name ?? ''],
  ];
  for (const [type, name] of children) {
    const old = await world.client.get(type, { namespace, name });
    await world.client.delete(type, { namespace, name });
    await world.until(type, namespace, name, 'is back', ({ metadata }) => metadata.uid !== old.metadata.uid);
  }
  await traffic.stop();
  expect(traffic.failures).toEqual([]);
  expect(identities(await world.pods(namespace, 'router'))).toEqual(routers);

  const old = await world.client.get<Deployment>(DEPLOYMENTS, { namespace, name: 'vllm-model' });
  await world.client.delete(DEPLOYMENTS, { namespace, name: 'vllm-model' });
  const back = await world.until<Deployment>(
    DEPLOYMENTS,
    namespace,
    'vllm-model',
    'is back',
    ({ metadata }) => metadata.uid !== old.metadata.uid,
  );
  expect(back.spec.replicas).toBe(1);
  const model = await world.modelReady(namespace, 'model');
  expect(isTrue(model.status?.conditions, 'Available')).toBe(true);
  await expect.poll(() => ask(client, 'model'), { message: 'it answers' }).toBeTruthy();
});

it.concurrent('an interrupted tune has recorded what it measured, and leaves no candidate', async ({
  expect,
  onTestFinished,
}) => {
  const namespace = await world.namespace();
  await world.createPool(namespace, { router: { replicas: 1 }, capacity: { accelerators: 2 } });
  const env = { VLLM_SIM_MEMORY_GIB: '24', VLLM_SIM_MIB_PER_SEQUENCE: '50' };
  await world.createModel(namespace, 'model', {
    engine: {
      batching: { maxNumSeqs: 4 },
      env: Object.entries(env).map(([name, value]) => ({ name, value })),
    },
  });
  await world.modelReady(namespace, 'model');
  const directory = mkdtempSync(join(tmpdir(), 'tune-test-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const start = async () => {
    const tune = spawn(process.execPath, [
      ...['operator/main.ts', 'tune', 'model', '-n', namespace, '--url', await world.url(namespace)],
      ...['--kubeconfig', world.cluster.kubeconfigPath, '--directory', directory, '--slo', 'p95=10s'],
      ...['--set', 'engine.batching.maxNumSeqs=1024,8', '--duration', '1s', '--warm-up', '0', '--runs', '1'],
    ]);
    tune.stderr.setEncoding('utf8');
    return tune;
  };
  const piped = await start();
  // As `| head` does.
  piped.stderr.on('data', (text: string) => /waking/.test(text) && piped.stderr.destroy());
  expect(await once(piped, 'exit')).toEqual([130, null]);
  await world.untilGone(INFERENCE_MODELS, namespace, 'tune-model');

  const tune = await start();
  let said = '';
  tune.stderr.on('data', (text: string) => {
    const isFirst = !/meets the objectives/.test(said);
    said += text;
    if (!isFirst || !/meets the objectives/.test(said)) return;
    // Twice, as from a terminal and from npm.
    tune.kill('SIGINT');
    setImmediate(() => tune.kill('SIGINT'));
  });
  expect(await once(tune, 'exit'), said).toEqual([130, null]);
  expect(said).toContain('continue with the same options and --resume');
  await world.untilGone(INFERENCE_MODELS, namespace, 'tune-model');
  await world.untilGone(DEPLOYMENTS, namespace, 'vllm-tune-model');
  const files = readdirSync(directory)
    .filter((file) => file.includes('_run02_'))
    .sort();
  const [tooMany, running] = files.map((file) => JSON.parse(readFileSync(join(directory, file), 'utf8')));
  expect(files.map((file) => file.slice(17))).toEqual(['seqs1024.json', 'seqs8.json']);
  expect(tooMany).toMatchObject({ state: 'failed', failure: { kind: 'out-of-memory' } });
  expect(tooMany.failure.message).toContain('out of memory');
  expect(running).toMatchObject({ state: 'running', rates: [{ runs: [{ meetsObjectives: true }] }] });
});

it.concurrent('nothing of a cluster outlives it', async ({ expect }) => {
  const small = await World.start();
  const namespace = await small.namespace();
  await small.createPool(namespace, { router: { replicas: 1 } });
  await small.createModel(namespace, 'model');
  await small.modelReady(namespace, 'model');
  const commands = () => processesUnder(small.cluster.directory).map(({ command }) => command);
  expect(commands()).toEqual(
    expect.arrayContaining(
      ['operator/main.ts', 'vllm-sim/main.ts', 'nginx', 'redis-server'].map((part) =>
        expect.stringContaining(part),
      ),
    ),
  );

  await small.close();

  await expect.poll(() => commands().length, { message: 'no process is left' }).toBe(0);
  expect(existsSync(small.cluster.directory)).toBe(false);
});

it('the operators had nothing to complain about', async () => {
  expect(await world.errors()).toEqual([]);
});
