import type OpenAI from 'openai';
import { APIError } from 'openai';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { type Deployment, isReady, type Pod } from '../../operator/controllers/shared/workloads.ts';
import { DEPLOYMENTS, PODS } from '../../operator/kube/resource-types.ts';
import { CLUSTER_PATIENCE } from '../support/patience.ts';
import { control, identities, kill, podIp } from './support/engines.ts';
import { nginxWorkers } from './support/processes.ts';
import { ask, stream, streamFailure, Traffic } from './support/traffic.ts';
import { World } from './support/world.ts';

let world: World;
let namespace: string;
let client: OpenAI;
/** Of the model `single`; every change of it is to another one. */
let priority = 0;

beforeAll(async () => {
  world = await World.start();
  namespace = await world.namespace();
  await world.createPool(namespace, {
    router: { loadBalancing: 'LeastRequests' },
    engine: { batching: { maxNumSeqs: 128 } },
  });
  await world.createModel(namespace, 'many', { scaling: { replicas: 3 } });
  // Slow enough to start that a request comes in between.
  const env = [{ name: 'VLLM_SIM_STARTUP_SECONDS', value: '60' }];
  await world.createModel(namespace, 'single', { engine: { env } });
  await world.poolReady(namespace);
  await world.modelReady(namespace, 'many');
  await world.modelReady(namespace, 'single');
  client = await world.openai(namespace);
});
afterAll(() => world?.close());

/** Starts so many streams, slow enough to be seen on their way, and waits until each has begun. */
async function beginStreams(count: number, tokens: number, slowFactor = 120) {
  for (const pod of await world.pods(namespace, 'engine', 'many')) await control(pod, { slowFactor });
  const begun = new Set<number>();
  const outcomes = Promise.all(
    Array.from({ length: count }, (_, i) =>
      stream(client, 'many', { tokens, prompt: `stream ${i}`, onChunk: () => begun.add(i) }),
    ),
  );
  await expect.poll(() => begun.size, { message: 'all streams have begun' }).toBe(count);
  return { outcomes };
}

/** Everything of the namespace that runs, so that a restart, rollout or replacement shows as a difference. */
async function whatRuns(): Promise<string[]> {
  const [pods, deployments] = await Promise.all([
    world.client.list<Pod>(PODS, { namespace }),
    world.client.list<Deployment>(DEPLOYMENTS, { namespace }),
  ]);
  const generations = deployments.items.map(
    ({ metadata }) => `${metadata.name} ${metadata.uid} generation ${metadata.generation}`,
  );
  return [...identities(pods.items), ...generations.sort()];
}

/** Resolves once the leading operator has taken note of a change: it is at work. */
async function operatorActs(): Promise<void> {
  priority += 1;
  const { metadata } = await world.patchModel(namespace, 'single', { priority });
  await world.modelReady(namespace, metadata.name);
}

/** The values of a metric for a model, one for each router that has it. */
async function metric(name: string, model: string): Promise<number[]> {
  const routers = await world.pods(namespace, 'router');
  const texts = await Promise.all(
    routers.map(async (pod) => (await fetch(`http://${podIp(pod)}:8082/metrics`)).text()),
  );
  const line = new RegExp(`^vllm_router_${name}{model="${model}".*} (\\d+)$`, 'gm');
  return texts.flatMap((text) => [...text.matchAll(line)].map(([, value]) => Number(value)));
}

/** How many requests for a model the routers have held so far. */
async function held(model: string): Promise<number> {
  return (await metric('hold_seconds_count', model)).reduce((sum, count) => sum + count, 0);
}

/** Resolves once every router knows that the model has no engine now. */
async function routersMissEngine(model: string): Promise<void> {
  await expect
    .poll(
      async () => {
        const engines = await metric('endpoints', model);
        return engines.length > 0 && engines.every((count) => count === 0);
      },
      { message: 'the routers know' },
    )
    .toBeTruthy();
}

async function deletePod(pod: Pod | undefined, gracePeriodSeconds?: number): Promise<void> {
  if (!pod) throw new Error('there is no such pod');
  const { name, uid } = pod.metadata;
  await world.client.delete(
    PODS,
    { namespace, name },
    {
      ...(uid !== undefined && { preconditions: { uid } }),
      ...(gracePeriodSeconds !== undefined && { gracePeriodSeconds }),
    },
  );
}

it('of 200 streams, only those of a killed engine end, with an error event', async () => {
  const tokens = 60;
  const [victim, ...survivors] = await world.pods(namespace, 'engine', 'many');
  // So slow that none ends before the last has begun, however long that takes.
  const streams = await beginStreams(200, tokens, 1_000);
  if (victim) kill(victim);
  for (const pod of survivors) await control(pod, { slowFactor: 1 });
  const outcomes = await streams.outcomes;

  const lost = outcomes.filter(({ pod }) => pod === victim?.metadata.name);
  const others = outcomes.filter(({ pod }) => pod !== victim?.metadata.name);
  expect(lost.length).toBeGreaterThan(20);
  for (const { error } of lost) {
    expect(error).toBeInstanceOf(APIError);
    expect((error as APIError).error).toMatchObject({
      message: 'The engine stopped before the answer was complete.',
      type: 'InternalServerError',
      code: 502,
    });
  }
  expect(others.map((outcome) => streamFailure(outcome, tokens)).filter(Boolean)).toEqual([]);
  await expect
    .poll(
      async () => {
        const engines = await world.pods(namespace, 'engine', 'many');
        const restarts = engines.flatMap(({ status }) => status?.containerStatuses ?? []);
        return engines.every(isReady) && restarts.some(({ restartCount }) => restartCount === 1);
      },
      { message: 'the killed engine runs again' },
    )
    .toBe(true);
});

it('an engine that is told to stop finishes its streams', async () => {
  const tokens = 60;
  // Not the first, which was killed a moment ago: routers leave one that failed alone for a while.
  const victim = (await world.pods(namespace, 'engine', 'many')).at(-1);
  const streams = await beginStreams(60, tokens);
  await deletePod(victim);
  const outcomes = await streams.outcomes;

  expect(outcomes.map((outcome) => streamFailure(outcome, tokens)).filter(Boolean)).toEqual([]);
  expect(outcomes.map(({ pod }) => pod)).toContain(victim?.metadata.name);
  await world.untilGone(PODS, namespace, victim?.metadata.name ?? '');
  await world.modelReady(namespace, 'many');
});

it('requests for a model whose only engine is gone wait for the next one', async () => {
  const [victim] = await world.pods(namespace, 'engine', 'single');
  const before = await held('single');
  await deletePod(victim, 0);
  await routersMissEngine('single');

  const answers = await Promise.all([1, 2, 3].map((i) => ask(client, 'single', `question ${i}`)));

  for (const pod of answers) {
    expect(pod).toMatch(/^vllm-single-/);
    expect(pod).not.toBe(victim?.metadata.name);
  }
  await expect.poll(async () => await held('single'), { message: 'the routers tell of it' }).toBe(before + 3);
  await world.modelReady(namespace, 'single');
});

it('an engine that crashes often, but serves in between, is waited for each time, from the first moment', async () => {
  for (let crash = 1; crash <= 2; crash++) {
    const [victim] = await world.pods(namespace, 'engine', 'single');
    if (victim) kill(victim);

    expect(await ask(client, 'single', `after crash ${crash}`)).toBe(victim?.metadata.name);
    await world.modelReady(namespace, 'single');
  }
});

it('a new engine gets requests and a removed one none, while nginx keeps its workers', async () => {
  const workers = async () =>
    (await world.pods(namespace, 'router')).map(({ metadata }) => nginxWorkers(metadata.name));
  const before = await workers();
  const first = await world.pods(namespace, 'engine', 'single');
  const traffic = new Traffic(client, 'single');

  await world.patchModel(namespace, 'single', { scaling: { replicas: 2 } });
  await expect.poll(() => traffic.pods.size, { message: 'both engines answer' }).toBe(2);
  await world.modelReady(namespace, 'single');
  await world.patchModel(namespace, 'single', { scaling: { replicas: 1 } });
  await expect
    .poll(async () => (await world.pods(namespace, 'engine', 'single')).length, {
      message: 'one engine is left',
    })
    .toBe(1);
  const [left] = await world.pods(namespace, 'engine', 'single');
  traffic.pods.clear();
  const answered = traffic.answered;
  await expect.poll(() => traffic.answered > answered + 20, { message: 'more is answered' }).toBe(true);
  await traffic.stop();

  expect(traffic.failures).toEqual([]);
  expect([...traffic.pods]).toEqual([left?.metadata.name]);
  expect(first).toHaveLength(1);
  expect(before.flat()).not.toEqual([]);
  expect(await workers()).toEqual(before);
});

it('a router that stops loses no request', async () => {
  const [victim] = await world.pods(namespace, 'router');
  const traffic = new Traffic(client, 'many');
  await expect.poll(() => traffic.streamed > 5, { message: 'there is traffic' }).toBe(true);
  await deletePod(victim);
  await world.untilGone(PODS, namespace, victim?.metadata.name ?? '');
  await world.poolReady(namespace);
  await traffic.stop();

  expect(traffic.failures).toEqual([]);
});

it('clients do not notice that Redis goes away', async () => {
  const cached = async () => {
    const { data, response } = await client.chat.completions
      .create({ model: 'many', temperature: 0, messages: [{ role: 'user', content: 'What is new?' }] })
      .withResponse();
    return { text: data.choices[0]?.message.content, cache: response.headers.get('x-cache') };
  };
  const { text } = await cached();
  await expect
    .poll(async () => (await cached()).cache, { message: 'an answer comes from Redis' })
    .toBe('HIT');
  const [victim] = await world.pods(namespace, 'cache');
  const answers: Awaited<ReturnType<typeof cached>>[] = [];

  await deletePod(victim, 0);
  await expect
    .poll(
      async () => {
        answers.push(await cached());
        return (await world.pods(namespace, 'cache')).some(isReady) && answers.at(-1)?.cache === 'HIT';
      },
      { message: 'another Redis has the answer' },
    )
    .toBeTruthy();

  expect(new Set(answers.map((answer) => answer.text))).toEqual(new Set([text]));
  expect(answers.map(({ cache }) => cache)).toContain('BYPASS');
  await world.poolReady(namespace);
});

it('what runs goes on without the operator, and the next one changes nothing', async () => {
  const before = await whatRuns();
  const traffic = new Traffic(client, 'many');
  const [killed] = world.operators;
  await killed?.stop('SIGKILL');
  const next = world.startOperator();
  await next.untilLeads();
  await operatorActs();
  await traffic.stop();

  expect(traffic.failures).toEqual([]);
  expect(traffic.answered).toBeGreaterThan(0);
  expect(await whatRuns()).toEqual(before);
});

it('two operators: one leads, the other takes over, and nothing changes', async () => {
  const before = await whatRuns();
  const traffic = new Traffic(client, 'many');
  const [first] = world.operators;
  const second = world.startOperator();
  await expect
    .poll(async () => (await second.log()).includes('caches are complete'), {
      message: 'the second operator is up',
    })
    .toBeTruthy();
  await operatorActs();
  expect(await second.leads()).toBe(false);

  expect(await first?.stop()).toBe(0);
  await second.untilLeads();
  await operatorActs();
  await traffic.stop();

  expect(traffic.failures).toEqual([]);
  expect(await whatRuns()).toEqual(before);
});

it('routers and engines that are replaced while no operator runs are still found', async () => {
  const [router] = await world.pods(namespace, 'router');
  const [engine] = await world.pods(namespace, 'engine', 'single');
  const traffic = new Traffic(client, 'many');
  for (const operator of world.operators) expect(await operator.stop()).toBe(0);

  await deletePod(router);
  await deletePod(engine);
  await world.untilGone(PODS, namespace, router?.metadata.name ?? '');
  await world.untilGone(PODS, namespace, engine?.metadata.name ?? '');
  await expect
    .poll(
      async () => {
        const routers = await world.pods(namespace, 'router');
        return routers.length === 2 && routers.every(isReady);
      },
      { message: 'the new router is ready' },
    )
    .toBeTruthy();
  const found = await vi.waitFor(() => ask(client, 'single'), CLUSTER_PATIENCE);
  await world.startOperator().untilLeads();
  await operatorActs();
  await traffic.stop();

  expect(found).not.toBe(engine?.metadata.name);
  expect(traffic.failures).toEqual([]);
});

it('the operators had nothing to complain about', async () => {
  expect(await world.errors()).toEqual([]);
});
