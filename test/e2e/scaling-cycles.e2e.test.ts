/** Sleep and wake again and again while requests come at any moment, and what streams see of it. */
import { randomInt } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { Deployment } from '../../operator/controllers/shared/workloads.ts';
import { DEPLOYMENTS } from '../../operator/kube/resource-types.ts';
import { Random } from '../integration/scaling/simulation/random.ts';
import { control } from './support/engines.ts';
import { ask, stream, streamFailure } from './support/traffic.ts';
import { World } from './support/world.ts';

const MODELS = ['ant', 'bee', 'cat', 'dog'];
const TOKENS = 60;
/** SEED=… repeats the moments of a run; the test prints it. */
const seed = Number(process.env.SEED ?? randomInt(1e9));

let world: World;

beforeAll(async () => {
  // A killed leader's lease would have to run out first, each time.
  world = await World.start({ operatorArgs: ['--no-leader-election'] });
});
afterAll(() => world?.close());

/** A pool with models that sleep after a second. */
async function sleepers(): Promise<{ namespace: string; client: OpenAI }> {
  const namespace = await world.namespace();
  await world.createPool(namespace, { router: { loadBalancing: 'LeastRequests' } });
  const scaling = { minReplicas: 0, maxReplicas: 1, idleTimeout: '1s' };
  for (const name of MODELS) await world.createModel(namespace, name, { scaling });
  await world.poolReady(namespace);
  const client = await world.openai(namespace);
  await expect
    .poll(
      async () => {
        const { data } = await client.models.list();
        return data.length === MODELS.length;
      },
      { message: 'all models are offered' },
    )
    .toBeTruthy();
  return { namespace, client };
}

/** Clients of every model that come at random moments, asleep or not, until they are stopped or the test ends. */
class Visitors {
  readonly #stop = new AbortController();
  readonly #loops: Promise<void>[];
  readonly failures: string[] = [];
  answered = 0;

  constructor(client: OpenAI, seed: number) {
    this.#loops = MODELS.map((model, i) => this.#visit(client, model, new Random(seed + i)));
    onTestFinished(() => this.stop());
  }

  async #visit(client: OpenAI, model: string, random: Random): Promise<void> {
    while (!this.#stop.signal.aborted) {
      // As often while they serve and drain as while they sleep.
      await delay(random.chance(0.5) ? random.between(0, 2_000) : random.between(2_500, 4_500));
      const prompt = `visit ${random.next()}`;
      const outcomes = await Promise.all([
        ask(client, model, prompt).catch((error: unknown) => `lost: ${String(error)}`),
        stream(client, model, { tokens: TOKENS, prompt }).then((outcome) => streamFailure(outcome, TOKENS)),
      ]);
      const lost = outcomes.filter((outcome) => outcome !== undefined && /[: ]/.test(outcome));
      this.failures.push(...lost.map((outcome) => `${new Date().toISOString()} ${model}: ${outcome}`));
      this.answered += outcomes.length - lost.length;
    }
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#loops);
  }
}

/** Counts how often Deployments of a namespace went to zero, until it is stopped or the test ends. */
class SleepCounter {
  readonly #end = new AbortController();
  readonly #watching: Promise<void>;
  count = 0;

  constructor(namespace: string) {
    this.#watching = this.#watch(namespace);
    onTestFinished(() => this.stop());
  }

  async #watch(namespace: string): Promise<void> {
    const last = new Map<string, number>();
    const labelSelector = 'app.kubernetes.io/component=engine';
    while (!this.#end.signal.aborted) {
      const { items } = await world.client.list<Deployment>(DEPLOYMENTS, { namespace, labelSelector });
      for (const { metadata, spec } of items) {
        const replicas = spec.replicas ?? 1;
        if (replicas === 0 && (last.get(metadata.name) ?? 0) > 0) this.count += 1;
        last.set(metadata.name, replicas);
      }
      await delay(100);
    }
  }

  async stop(): Promise<void> {
    this.#end.abort();
    await this.#watching;
  }
}

describe(`sleep and wake (SEED=${seed})`, () => {
  it('lose no request in ten cycles with random arrivals', async () => {
    const { namespace, client } = await sleepers();
    const visitors = new Visitors(client, seed);
    const sleeps = new SleepCounter(namespace);
    await expect.poll(() => sleeps.count >= 10, { message: 'models slept ten times' }).toBe(true);
    await Promise.all([visitors.stop(), sleeps.stop()]);
    expect(visitors.failures).toEqual([]);
    expect(visitors.answered).toBeGreaterThan(10);
  });

  it('lose no request when the operator is killed at random moments', async () => {
    const { namespace, client } = await sleepers();
    const visitors = new Visitors(client, seed);
    const sleeps = new SleepCounter(namespace);
    const random = new Random(seed);
    for (let kills = 0; kills < 3; kills++) {
      await delay(random.between(1_500, 5_500));
      await world.operators[0]?.stop('SIGKILL');
      world.startOperator();
    }
    await expect.poll(() => sleeps.count >= 4, { message: 'models sleep after all' }).toBe(true);
    await Promise.all([visitors.stop(), sleeps.stop()]);
    expect(visitors.failures).toEqual([]);
  });
});

/** Streams of half a minute, and more that can happen to them: `npm run bench -- streams`. */
describe('streams under way', () => {
  it.each([
    ['scale-in', { scaling: { replicas: 1 } }],
    ['suspension', { suspend: true }],
  ])('survive %s', async (_, change) => {
    const namespace = await world.namespace();
    await world.createPool(namespace, { router: { loadBalancing: 'LeastRequests' } });
    await world.createModel(namespace, 'chat', { scaling: { replicas: 3 } });
    await world.poolReady(namespace);
    await world.modelReady(namespace, 'chat');
    const client = await world.openai(namespace);
    for (const pod of await world.pods(namespace, 'engine')) await control(pod, { slowFactor: 60 });
    const begun = new Set<number>();
    const streams = Array.from({ length: 30 }, (__, i) =>
      stream(client, 'chat', { tokens: TOKENS, prompt: `stream ${i}`, onChunk: () => begun.add(i) }).finally(
        () => begun.add(i),
      ),
    );
    await expect.poll(() => begun.size, { message: 'all streams have begun' }).toBe(streams.length);
    await world.patchModel(namespace, 'chat', change);
    const outcomes = await Promise.all(streams);
    expect(outcomes.map((outcome) => streamFailure(outcome, TOKENS)).filter(Boolean)).toEqual([]);
    expect(new Set(outcomes.map(({ pod }) => pod)).size).toBe(3);
    const left = 'scaling' in change ? 1 : 0;
    await expect
      .poll(async () => (await world.pods(namespace, 'engine')).length, { message: 'engines are gone' })
      .toBe(left);
  });
});
