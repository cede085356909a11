/** What clients wait for when a model wakes, beside the engine itself: real operator process, real routers, devcluster. */
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import OpenAI from 'openai';
import { INFERENCE_MODELS, type InferenceModel } from '../../../operator/api/types.ts';
import { isReady, type Pod } from '../../../operator/controllers/shared/workloads.ts';
import { sleep } from '../../../operator/kube/clock.ts';
import { isTrue } from '../../../operator/kube/conditions.ts';
import { silentLogger } from '../../../operator/kube/logger.ts';
import type { KubeObject } from '../../../operator/kube/object.ts';
import { Reflector } from '../../../operator/kube/reflector.ts';
import { DEPLOYMENTS, PODS } from '../../../operator/kube/resource-types.ts';
import { World } from '../../e2e/support/world.ts';
import { eventually } from '../../support/eventually.ts';
import { cpuSeconds } from './cpu-time.ts';
import { printMilliseconds } from './quantile.ts';
import { startSeparateCluster } from './separate-cluster.ts';

type Deployment = KubeObject & { spec: { replicas?: number } };

/** What comes next must not wait. */
const OFTEN_MS = 1;

/** Hundreds of models take their time to be created. */
const SETTLE_MS = 300_000;

const SELECTOR = 'app.kubernetes.io/component=engine';

/** One call of a model; its failure is the caller's to look at. */
function ask(client: OpenAI, model: string, signal: AbortSignal) {
  const body = { model, messages: [{ role: 'user' as const, content: 'wake' }], max_tokens: 1 };
  return client.chat.completions.create(body, { signal });
}

/** Runs with a watch on the engines' Deployments or pods. */
async function watching<T extends KubeObject>(
  world: World,
  type: typeof DEPLOYMENTS,
  onChange: (object: T) => void,
): Promise<() => Promise<void>> {
  const end = new AbortController();
  const reflector = new Reflector<T>({
    client: world.client,
    type,
    labelSelector: SELECTOR,
    log: silentLogger,
  });
  reflector.store.subscribe(({ new: now }) => {
    if (now) onChange(now);
  });
  const running = reflector.run(end.signal);
  await reflector.waitForSync(end.signal);
  return async () => {
    end.abort();
    await running;
  };
}

async function sleepers(
  world: World,
  namespace: string,
  names: readonly string[],
  capacity: object = {},
): Promise<OpenAI> {
  await world.createPool(namespace, {
    router: { replicas: 2 },
    responseCache: { enabled: false },
    capacity: { modelsPerNamespace: names.length, ...capacity },
  });
  for (const name of names)
    await world.createModel(namespace, name, {
      scaling: { minReplicas: 0, maxReplicas: 1, idleTimeout: '1s' },
    });
  await world.poolReady(namespace);
  const client = await world.openai(namespace);
  const end = performance.now() + SETTLE_MS;
  for (;;) {
    const { data } = await client.models.list();
    const { items } = await world.client.list<InferenceModel>(INFERENCE_MODELS, { namespace });
    const settled = items.every(({ status }) => isTrue(status?.conditions, 'Ready'));
    if (settled && data.length === names.length) break;
    if (performance.now() > end) throw new Error('the models did not settle');
    await sleep(500);
  }
  // Their last writes come back by watches.
  await sleep(3_000);
  return client;
}

/** In seconds since the operator started; what its scaling controller waits for is of all its workers together. */
const COSTS = ['operator_cpu', 'cluster_cpu', 'wait_for_worker', 'wait_for_api_server'] as const;
type Costs = Record<(typeof COSTS)[number], number>;

export interface WakeLoad {
  /** Models of the pool. */
  models: number;
  /** Wakes, one after the other; models wake again in turn. */
  wakes: number;
  /** Between two of them: with enough, what one sets off is not part of the next. */
  pauseMs: number;
  /** Then all models at once. */
  together?: boolean;
  /** The pool has a budget, and this many accelerators in it. */
  accelerators?: number;
  /** Where the operator writes a CPU profile when it ends. */
  profile?: string | undefined;
}

/**
 * From the moment a client sends a request to the moment a watch shows the patched scale. No node has accelerators, so
 * that nothing else happens. The cluster has a process of its own, and so has the operator; CPU tells whose time it is.
 */
export async function measureHeldToScaled(load: WakeLoad): Promise<void> {
  let clusterPid: number | undefined;
  const probePort = await freePort();
  const world = await World.start({
    gpus: {},
    start: async (options) => {
      const cluster = await startSeparateCluster(options);
      clusterPid = cluster.pid;
      return cluster;
    },
    operatorArgs: ['--probe-port', String(probePort)],
    ...(load.profile && { operatorNodeArgs: ['--cpu-prof', `--cpu-prof-dir=${load.profile}`] }),
  });
  const costs = async (): Promise<Costs> => {
    const text = await (await fetch(`http://127.0.0.1:${probePort}/metrics`)).text();
    const metric = (line: string) => Number(text.match(new RegExp(`^${line} (.*)$`, 'm'))?.[1] ?? 0);
    return {
      operator_cpu: await cpuSeconds(world.operators[0]?.pid),
      cluster_cpu: await cpuSeconds(clusterPid),
      wait_for_worker: metric('workqueue_queue_duration_seconds_sum\\{name="scaling".*\\}'),
      wait_for_api_server: metric('controller_runtime_reconcile_time_seconds_sum\\{controller="scaling"\\}'),
    };
  };
  try {
    const names = Array.from({ length: load.models }, (_, i) => `m-${i}`);
    const sent = new Map<string, number>();
    const took: number[] = [];
    const namespace = await world.namespace();
    const { accelerators } = load;
    const capacity = accelerators === undefined ? {} : { accelerators, overcommit: true };
    const budget = accelerators === undefined ? '' : '_with_budget';
    await sleepers(world, namespace, names, capacity);
    const stop = await watching<Deployment>(world, DEPLOYMENTS, ({ metadata, spec }) => {
      const name = metadata.name.replace(/^vllm-/, '');
      const at = sent.get(name);
      if (at === undefined || spec.replicas !== 1) return;
      took.push(performance.now() - at);
      sent.delete(name);
    });
    const routers = await directClients(world, namespace);
    const wake = async (some: readonly string[], oneByOne: boolean) => {
      const end = new AbortController();
      const began = performance.now();
      const asked: Promise<unknown>[] = [];
      for (const [i, name] of some.entries()) {
        const client = routers[i % routers.length];
        if (!client) throw new Error('the pool has no router');
        sent.set(name, oneByOne ? performance.now() : began);
        asked.push(ask(client, name, end.signal).catch(() => {}));
        if (!oneByOne) continue;
        await eventually('a wake', () => !sent.has(name), OFTEN_MS);
        await sleep(load.pauseMs);
      }
      await eventually('a wake', () => sent.size === 0, OFTEN_MS);
      return async () => {
        end.abort();
        await Promise.all(asked);
        // The operator hears from the routers that nobody waits any more.
        await sleep(3_000);
        for (const name of some)
          await world.client.patch(
            DEPLOYMENTS,
            { namespace, name: `vllm-${name}` },
            { merge: { spec: { replicas: 0 } } },
            { subresource: 'scale' },
          );
        await sleep(5_000);
      };
    };
    const report = (name: string, before: Costs, after: Costs) => {
      const wakes = took.length;
      printMilliseconds(name, took.splice(0));
      for (const cost of COSTS)
        console.log(`${name}_${cost} ${(((after[cost] - before[cost]) * 1_000) / wakes).toFixed(1)} ms/wake`);
    };
    const start = await costs();
    for (let done = 0; done < load.wakes; done += load.models) {
      const reset = await wake(names.slice(0, Math.min(load.models, load.wakes - done)), true);
      if (load.together || done + load.models < load.wakes) await reset();
    }
    report(
      `held_to_scale_patched_${load.models}_models_${load.pauseMs}_ms_apart${budget}`,
      start,
      await costs(),
    );
    if (load.together) {
      const before = await costs();
      await wake(names, false);
      report(`held_to_scale_patched_${load.models}_at_once${budget}`, before, await costs());
    }
    await stop();
    if (load.profile) await Promise.all(world.operators.map((operator) => operator.stop()));
  } finally {
    await world.close();
  }
}

/** Clients of each router itself: a Service of devcluster is a proxy in the process of its API server. */
async function directClients(world: World, namespace: string): Promise<OpenAI[]> {
  const pods = await world.pods(namespace, 'router');
  return pods.map(
    ({ status }) => new OpenAI({ baseURL: `http://${status?.podIP}:8080/v1`, apiKey: 'none', maxRetries: 0 }),
  );
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}

/** From the moment a watch shows the engine's pod ready to the moment the client has the answer of one token. */
export async function measureReadyToAnswer(wakes: number): Promise<void> {
  const world = await World.start();
  try {
    const names = Array.from({ length: 4 }, (_, i) => `m-${i}`);
    const readyAt = new Map<string, number>();
    const namespace = await world.namespace();
    const client = await sleepers(world, namespace, names);
    const stop = await watching<Pod>(world, PODS, (pod) => {
      const name = pod.metadata.labels?.['vllm-operator.dev/model'] ?? '';
      if (isReady(pod) && !readyAt.has(name)) readyAt.set(name, performance.now());
    });
    const took: number[] = [];
    for (let i = 0; i < wakes; i++) {
      const name = names[i % names.length] ?? '';
      await eventually(`${name} sleeps`, async () => {
        const pods = await world.pods(namespace, 'engine', name);
        return pods.length === 0;
      });
      readyAt.delete(name);
      await ask(client, name, AbortSignal.timeout(60_000));
      took.push(performance.now() - (readyAt.get(name) ?? Number.NaN));
    }
    printMilliseconds('pod_ready_to_answer', took);
    await stop();
  } finally {
    await world.close();
  }
}
