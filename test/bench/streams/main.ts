/**
 * Whether streams of half a minute come to their end whatever happens to engines and routers meanwhile, as lines
 * `metric value unit`. Fails if one was cut. Streams take as long as they say; the cluster around them is five times as fast.
 */
import { Agent } from 'undici';
import { INFERENCE_POOLS } from '../../../operator/api/types.ts';
import { isReady } from '../../../operator/controllers/shared/workloads.ts';
import { isKubeError } from '../../../operator/kube/errors.ts';
import { objectPath } from '../../../operator/kube/resource-path.ts';
import { PODS } from '../../../operator/kube/resource-types.ts';
import { control } from '../../e2e/support/engines.ts';
import { World } from '../../e2e/support/world.ts';
import { eventually } from '../../support/eventually.ts';
import { ask } from '../cycles/request.ts';
import { startSeparateCluster } from '../scaling/separate-cluster.ts';

const STREAMS = 30;
const TOKENS = 62;
/** Of an engine that takes a quarter of a millisecond for a token (`VLLM_SIM_TIME_SCALE` of the end-to-end tests). */
const SLOW_FACTOR = 2_000;
const MIN_MS = 30_000;
const REPLICAS = 3;

interface Scenario {
  name: string;
  /** Of the model. */
  scaling?: object;
  /** What happens once all streams have begun. */
  act(world: World, namespace: string): Promise<unknown>;
  /** Engines or routers that have to be gone or new before it is over. */
  done(world: World, namespace: string): Promise<boolean>;
}

const engines = (world: World, namespace: string, model: string) => world.pods(namespace, 'engine', model);

const ENGINE_SCENARIOS: Scenario[] = [
  {
    name: 'scale-in',
    act: (world, namespace) => world.patchModel(namespace, 'scale-in', { scaling: { replicas: 1 } }),
    done: async (world, namespace) => (await engines(world, namespace, 'scale-in')).length === 1,
  },
  {
    name: 'rollout',
    act: (world, namespace) =>
      world.patchModel(namespace, 'rollout', { engine: { batching: { maxNumSeqs: 40 } } }),
    done: async (world, namespace) => {
      const pods = await engines(world, namespace, 'rollout');
      return (
        pods.length === REPLICAS &&
        pods.every((pod) => JSON.stringify(pod.spec).includes('--max-num-seqs=40'))
      );
    },
  },
  {
    name: 'suspend',
    act: (world, namespace) => world.patchModel(namespace, 'suspend', { suspend: true }),
    done: async (world, namespace) => (await engines(world, namespace, 'suspend')).length === 0,
  },
  {
    name: 'sleep',
    scaling: { minReplicas: 0, maxReplicas: 1, idleTimeout: '1s' },
    act: async () => {},
    done: async (world, namespace) => (await engines(world, namespace, 'sleep')).length === 0,
  },
  {
    name: 'node-drain',
    act: async (world, namespace) => {
      for (const { metadata } of await engines(world, namespace, 'node-drain'))
        await evict(world, namespace, metadata);
    },
    done: async (world, namespace) => {
      const pods = await engines(world, namespace, 'node-drain');
      return pods.length === REPLICAS && pods.every(isReady);
    },
  },
];

const routersAre = async (world: World, namespace: string, count: number) => {
  const pods = await world.pods(namespace, 'router');
  return pods.length === count && pods.every((pod) => isReady(pod));
};

const ROUTER_SCENARIOS: Scenario[] = [
  {
    name: 'router-rollout',
    act: (world, namespace) => patchRouter(world, namespace, { readTimeout: '20m' }),
    done: (world, namespace) => routersAre(world, namespace, REPLICAS),
  },
  {
    name: 'router-scale-in',
    act: (world, namespace) => patchRouter(world, namespace, { replicas: 1 }),
    done: (world, namespace) => routersAre(world, namespace, 1),
  },
];

async function patchRouter(world: World, namespace: string, router: object): Promise<void> {
  await world.client.patch(INFERENCE_POOLS, { namespace, name: 'pool' }, { merge: { spec: { router } } });
}

/** As `kubectl drain` does: again and again, until no disruption budget is in the way. */
async function evict(world: World, namespace: string, { name }: { name: string }): Promise<void> {
  const eviction = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { namespace, name } };
  await eventually(`${name} is evicted`, async () => {
    try {
      await world.client.raw({
        method: 'POST',
        path: objectPath(PODS, eviction.metadata, 'eviction'),
        body: JSON.stringify(eviction),
      });
      return true;
    } catch (error) {
      if (isKubeError(error, 'NotFound')) return true;
      if (isKubeError(error, 'Throttled')) return false;
      throw error;
    }
  });
}

/** Runs scenarios side by side, each with a model of its own. Returns how many streams were cut. */
async function play(
  world: World,
  namespace: string,
  scenarios: readonly Scenario[],
  agent: Agent,
): Promise<number> {
  const url = await world.url(namespace);
  const cut = await Promise.all(
    scenarios.map(async ({ name, scaling, act, done }) => {
      await world.createModel(namespace, name, { scaling: scaling ?? { replicas: REPLICAS } });
      const question = { url, model: name, temperature: 1, stream: true, timeoutMs: 10 * MIN_MS };
      // Also wakes the one that sleeps.
      await eventually(`${name} answers`, async () => {
        const { failure } = await ask({ ...question, prompt: 'Hello?', tokens: 1 }, agent);
        return failure === undefined;
      });
      if (!scaling) await world.modelReady(namespace, name);
      for (const pod of await engines(world, namespace, name))
        await control(pod, { slowFactor: SLOW_FACTOR });
      const begun = new Set<number>();
      const streams = Array.from({ length: STREAMS }, async (_, i) => {
        const began = performance.now();
        const onChunk = () => begun.add(i);
        const answer = await ask({ ...question, prompt: `${name} ${i}`, tokens: TOKENS, onChunk }, agent);
        return { ...answer, ms: performance.now() - began };
      });
      await eventually(`all streams of ${name} have begun`, () => begun.size === STREAMS);
      await act(world, namespace);
      const answers = await Promise.all(streams);
      const failures = answers.flatMap(({ failure }) => failure ?? []);
      for (const failure of failures) console.error(`${name}: ${failure}`);
      await eventually(`${name} is over`, () => done(world, namespace));
      const metric = `streams_${name.replaceAll('-', '_')}`;
      console.log(`${metric}_engines ${new Set(answers.map(({ pod }) => pod)).size} 1`);
      console.log(`${metric}_shortest ${(Math.min(...answers.map(({ ms }) => ms)) / 1_000).toFixed(1)} s`);
      console.log(`${metric}_cut ${failures.length} of ${STREAMS}`);
      return failures.length + answers.filter(({ ms }) => ms < MIN_MS).length;
    }),
  );
  return cut.reduce((sum, count) => sum + count, 0);
}

export async function run(signal: AbortSignal): Promise<void> {
  const world = await World.start({ start: startSeparateCluster, gpus: { 'NVIDIA-L4': 40 } });
  const agent = new Agent({ headersTimeout: 0, bodyTimeout: 0 });
  try {
    const namespace = await world.namespace();
    const router = { replicas: REPLICAS, loadBalancing: 'LeastRequests' };
    await world.createPool(namespace, { router, responseCache: { enabled: false } });
    await world.poolReady(namespace);
    let cut = await play(world, namespace, ENGINE_SCENARIOS, agent);
    for (const scenario of ROUTER_SCENARIOS) {
      signal.throwIfAborted();
      cut += await play(world, namespace, [scenario], agent);
    }
    console.log(`streams_cut ${cut} 1`);
    if (cut > 0) process.exitCode = 1;
  } finally {
    await agent.destroy();
    await world.close();
  }
}
