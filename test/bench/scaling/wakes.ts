/** What clients wait for when a model wakes, beside the engine itself: real operator process, real routers, devcluster. */
import type OpenAI from 'openai';
import { isReady, type Pod } from '../../../operator/controllers/workloads.ts';
import { sleep } from '../../../operator/kube/clock.ts';
import { silentLogger } from '../../../operator/kube/logger.ts';
import type { KubeObject } from '../../../operator/kube/object.ts';
import { Reflector } from '../../../operator/kube/reflector.ts';
import { DEPLOYMENTS, PODS } from '../../../operator/kube/resource-types.ts';
import { eventually } from '../../e2e/support/eventually.ts';
import { World } from '../../e2e/support/world.ts';
import { printMilliseconds } from './quantile.ts';

type Deployment = KubeObject & { spec: { replicas?: number } };

const PAUSE_MS = 100;

const SELECTOR = 'app.kubernetes.io/component=engine';

/** One call of a model; its failure is the caller's to look at. */
function ask(client: OpenAI, model: string, signal: AbortSignal) {
  const body = {
    model,
    messages: [{ role: 'user' as const, content: `wake ${Math.random()}` }],
    max_tokens: 1,
  };
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

async function sleepers(world: World, namespace: string, names: readonly string[]): Promise<OpenAI> {
  await world.createPool(namespace, { router: { replicas: 2 }, responseCache: { enabled: false } });
  for (const name of names)
    await world.createModel(namespace, name, {
      scaling: { minReplicas: 0, maxReplicas: 1, idleTimeout: '1s' },
    });
  await world.poolReady(namespace);
  const client = await world.openai(namespace);
  await eventually('all models are offered', async () => {
    const { data } = await client.models.list();
    return data.length === names.length;
  });
  return client;
}

/**
 * From the moment a client sends a request to the moment a watch shows the patched scale. No node has accelerators, so
 * that nothing else happens: one model after the other, then all at once.
 * @param wakes at most `together`
 */
export async function measureHeldToScaled(wakes: number, together: number): Promise<void> {
  const world = await World.start({ gpus: {} });
  try {
    const names = Array.from({ length: together }, (_, i) => `m-${i}`);
    const sent = new Map<string, number>();
    const took: number[] = [];
    const namespace = await world.namespace();
    const client = await sleepers(world, namespace, names);
    const stop = await watching<Deployment>(world, DEPLOYMENTS, ({ metadata, spec }) => {
      const name = metadata.name.replace(/^vllm-/, '');
      const at = sent.get(name);
      if (at === undefined || spec.replicas !== 1) return;
      took.push(performance.now() - at);
      sent.delete(name);
    });
    const first = new AbortController();
    const waiting: Promise<unknown>[] = [];
    for (const name of names.slice(0, wakes)) {
      sent.set(name, performance.now());
      waiting.push(ask(client, name, first.signal).catch(() => {}));
      await eventually('the scale is patched', () => !sent.has(name));
      // Each wake by itself: what the one before it sets off is not part of it.
      await sleep(PAUSE_MS);
    }
    printMilliseconds('held_to_scale_patched', took.splice(0));

    first.abort();
    await Promise.all(waiting);
    // The operator hears from the routers that nobody waits any more.
    await sleep(3_000);
    for (const name of names.slice(0, wakes))
      await world.client.patch(
        DEPLOYMENTS,
        { namespace, name: `vllm-${name}` },
        { merge: { spec: { replicas: 0 } } },
        { subresource: 'scale' },
      );
    await sleep(3_000);
    const giveUp = new AbortController();
    const began = performance.now();
    for (const name of names) sent.set(name, began);
    const asked = names.map((name) => ask(client, name, giveUp.signal).catch(() => {}));
    await eventually('all scales are patched', () => sent.size === 0);
    giveUp.abort();
    await Promise.all(asked);
    printMilliseconds(`held_to_scale_patched_${together}_at_once`, took);
    await stop();
  } finally {
    await world.close();
  }
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
