/** Hours of the scaling code at work, in simulated time: what must hold at every moment does. Runs repeat from their seed. */
import { describe, expect, it } from 'vitest';
import { aModel, aPool } from '../../unit/controllers/fixtures.ts';
import { type SimModel, SimWorld, type SimWorldOptions } from './simulation/world.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

const admission = { wakeTimeout: '3m' };

function overcommitted(accelerators: number) {
  return aPool({ capacity: { accelerators, overcommit: true }, admission });
}

function sim(
  name: string,
  scaling: object,
  more: Partial<SimModel> & { priority?: number; namespace?: string } = {},
): SimModel {
  const { priority = 0, namespace = 'platform', ...rest } = more;
  return {
    model: aModel(
      name,
      { scaling: { maxReplicas: 1, ...scaling }, priority },
      { creationTimestamp: '2026-01-01T00:00:00Z', namespace },
    ),
    rate: () => 0,
    durationMs: [500, 20_000],
    ...rest,
  };
}

/** Nothing for a while, then many at once. */
function bursts(everyMs: number, forMs: number, perSecond: number, offset = 0) {
  return (at: number) => ((at + offset) % everyMs < forMs ? perSecond : 0);
}

/** A day with its night, in `dayMs`. */
function diurnal(dayMs: number, peakPerSecond: number) {
  return (at: number) => Math.max(0, Math.sin((2 * Math.PI * at) / dayMs)) * peakPerSecond;
}

async function simulate(options: SimWorldOptions, ms: number, quietMs = 20 * MINUTE): Promise<SimWorld> {
  const world = new SimWorld(options);
  await world.run(ms, quietMs);
  return world;
}

/** Every request has an end: answered, or refused with a reason that a client was told. */
function expectAccounted(world: SimWorld): void {
  const refused = [...world.outcomes.refused.values()].reduce((sum, count) => sum + count, 0);
  expect(world.held).toBe(0);
  expect(world.outcomes.answered + refused).toBe(world.arrived);
}

async function count(world: SimWorld, name: string, reason?: string): Promise<number> {
  const { values } = (await world.registry.getSingleMetric(name)?.get()) ?? { values: [] };
  const of = values.filter(({ labels }) => reason === undefined || labels.reason === reason);
  return of.reduce((sum, { value }) => sum + value, 0);
}

/** Metrics say of all models together what events say of each. */
async function expectCounted(world: SimWorld): Promise<void> {
  const counted = (name: string, reason?: string) => count(world, name, reason);
  const told = (...reasons: string[]) => world.events.filter(({ reason }) => reasons.includes(reason)).length;
  for (const reason of ['Woken', 'Slept', 'Scaled'])
    expect(await counted('vllm_operator_replica_changes_total', reason)).toBe(told(reason));
  expect(await counted('vllm_operator_budget_evictions_total')).toBe(told('Evicted'));
  expect(await counted('vllm_operator_wake_failures_total')).toBe(told('WakeFailed'));
}

describe('sleepers on a budget of three', () => {
  const models = () => [
    sim('bursty', { minReplicas: 0, idleTimeout: '60s' }, { rate: bursts(7 * MINUTE, 20_000, 2) }),
    sim(
      'bursty-too',
      { minReplicas: 0, idleTimeout: '60s' },
      { rate: bursts(9 * MINUTE, 30_000, 2, 4 * MINUTE) },
    ),
    sim('sparse', { minReplicas: 0, idleTimeout: '30s' }, { rate: () => 1 / 300 }),
    sim('urgent', { minReplicas: 0, idleTimeout: '60s' }, { rate: () => 1 / 600, priority: 10 }),
    sim(
      'daily',
      { minReplicas: 0, maxReplicas: 3, target: 4, idleTimeout: '60s' },
      { rate: diurnal(HOUR, 2) },
    ),
    sim('always', { minReplicas: 1, maxReplicas: 2, target: 4 }, { rate: () => 0.3 }),
  ];

  it.each([1, 2, 3])('keep to every rule for an hour, seed %i', async (seed) => {
    const world = await simulate({ seed, pool: overcommitted(3), models: models() }, HOUR);
    expect(world.violations).toEqual([]);
    expectAccounted(world);
    expect([...world.outcomes.refused]).toEqual([]);
    for (const name of ['bursty', 'sparse', 'urgent']) {
      expect(world.events.some(({ model, reason }) => model === name && reason === 'Woken')).toBe(true);
      expect(world.cluster.replicas(name)).toBe(0);
    }
    expect(world.cluster.replicas('always')).toBe(1);
    await expectCounted(world);
    for (const reason of ['Stable', 'Hold'])
      expect(await count(world, 'vllm_operator_autoscaler_decisions_total', reason)).toBeGreaterThan(0);
  });

  it.each([4, 5, 6])(
    'also when operators die, routers are cut off and engines crash, seed %i',
    async (seed) => {
      const trouble = { killEveryMs: 4 * MINUTE, cutEveryMs: 3 * MINUTE, crashEveryMs: 10 * MINUTE };
      const world = await simulate({ seed, pool: overcommitted(3), models: models(), trouble }, 2 * HOUR);
      expect(world.kills).toBeGreaterThan(10);
      expect(world.violations).toEqual([]);
      expectAccounted(world);
      expect(world.cluster.replicas('always')).toBe(1);
    },
  );

  it('lose nothing when asked just as they fall asleep', async () => {
    const models = Array.from({ length: 8 }, (_, i) =>
      sim(
        `light-${i}`,
        { minReplicas: 0, idleTimeout: '2s' },
        { rate: () => 0.2, durationMs: [200, 2_000], startMs: [500, 2_000] },
      ),
    );
    const world = await simulate({ seed: 12, pool: overcommitted(8), models }, HOUR);
    expect(world.violations).toEqual([]);
    expectAccounted(world);
    expect(world.events.filter(({ reason }) => reason === 'Slept').length).toBeGreaterThan(200);
  });

  it('starve no model under constant demand', async () => {
    const hungry = ['a', 'b', 'c', 'd'].map((name) =>
      sim(name, { minReplicas: 0, idleTimeout: '60s' }, { rate: () => 0.2, startMs: [5_000, 10_000] }),
    );
    const world = await simulate({ seed: 7, pool: overcommitted(2), models: hungry }, HOUR);
    expect(world.violations).toEqual([]);
    expectAccounted(world);
    expect(world.outcomes.longestHoldMs).toBeLessThan(6 * MINUTE);
  });
});

describe('teams with quotas', () => {
  it.each([15, 16])('take turns among themselves, and stay within what is theirs, seed %i', async (seed) => {
    const greedy = (namespace: string) =>
      ['a', 'b', 'c'].map((name) =>
        sim(
          `${namespace}-${name}`,
          { minReplicas: 0, maxReplicas: 2, target: 4, idleTimeout: '60s' },
          { rate: bursts(10 * MINUTE, 3 * MINUTE, 1), startMs: [5_000, 10_000], namespace },
        ),
      );
    const pool = aPool({
      capacity: {
        accelerators: 4,
        overcommit: true,
        namespaceQuotas: [
          { namespace: 'red', accelerators: 2 },
          { namespace: 'blue', accelerators: 1 },
        ],
      },
      allowedNamespaces: { from: 'All' },
      admission,
    });
    const models = ['red', 'blue', 'green'].flatMap(greedy);
    const world = await simulate({ seed, pool, models, trouble: { killEveryMs: 10 * MINUTE } }, HOUR);
    expect(world.violations).toEqual([]);
    expectAccounted(world);
    for (const { model } of models)
      expect(
        world.events.some((event) => event.model === model.metadata.name && event.reason === 'Woken'),
      ).toBe(true);
    expect(world.outcomes.longestHoldMs).toBeLessThan(10 * MINUTE);
  });
});

describe('engines that do not start', () => {
  it('end every wake with a reason, and are tried again', async () => {
    const broken = (outcome: 'unschedulable' | 'imagePull') =>
      sim(
        outcome.toLowerCase(),
        { minReplicas: 0, idleTimeout: '60s' },
        {
          rate: () => 1 / 20,
          outcome: (at) => (at < 40 * MINUTE ? outcome : 'ready'),
        },
      );
    const models = [broken('unschedulable'), broken('imagePull')];
    const trouble = { killEveryMs: 10 * MINUTE };
    const world = await simulate({ seed: 8, pool: overcommitted(2), models, trouble }, HOUR);
    expect(world.violations).toEqual([]);
    expectAccounted(world);
    expect([...world.outcomes.refused.keys()].sort()).toEqual(['ImagePullFailed', 'Unschedulable']);
    for (const { model } of models) {
      const told = world.events.filter((event) => event.model === model.metadata.name);
      expect(told.filter(({ reason }) => reason === 'WakeFailed').length).toBeGreaterThan(1);
      await expectCounted(world);
      expect(told.at(-1)).toMatchObject({ reason: 'Slept', note: 'slept after 60s without a request' });
    }
  });
});

describe('HPA, sleep and wake together', () => {
  const scaling = { minReplicas: 0, maxReplicas: 4, target: 4, idleTimeout: '180s' };

  it('do not conflict: each writes only its own fields', async () => {
    const models = [
      sim('steady', scaling, { rate: () => 1, durationMs: [5_000, 5_000] }),
      sim('daily', scaling, { rate: diurnal(2 * HOUR, 1.5), durationMs: [5_000, 15_000] }),
      sim('bursty', scaling, { rate: bursts(20 * MINUTE, 2 * MINUTE, 2) }),
    ];
    const world = await simulate({ seed: 9, pool: aPool({ admission }), models }, 2 * HOUR, 0);
    expect(world.violations).toEqual([]);
    expect(world.undone(2 * MINUTE)).toEqual([]);
    const written = (name: string, by: string) =>
      (world.writes.get(name) ?? []).filter((write) => write.by === by).map(({ replicas }) => replicas);
    expect(written('steady', 'operator')).toEqual([1]);
    // One day, and a night in which the last few requests come alone.
    expect(written('daily', 'operator').length).toBeLessThanOrEqual(6);
    expect(written('bursty', 'operator')).toEqual([1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0]);
    expect(Math.max(...written('daily', 'hpa'))).toBe(4);
    expect(written('bursty', 'hpa').length).toBeGreaterThan(0);
  });

  it('keep what there is when the operator is away', async () => {
    const models = [sim('steady', scaling, { rate: () => 1, durationMs: [5_000, 15_000] })];
    const trouble = { killEveryMs: 3 * MINUTE, cutEveryMs: 5 * MINUTE };
    const world = await simulate({ seed: 10, pool: aPool({ admission }), models, trouble }, 2 * HOUR, 0);
    expect(world.violations).toEqual([]);
    expect(world.events.filter(({ reason }) => reason === 'Slept')).toEqual([]);
  });
});

describe('another autoscaler and the operator', () => {
  const busy = { rate: bursts(20 * MINUTE, 10 * MINUTE, 1), startMs: [2_000, 4_000] as [number, number] };
  const scaling = { mode: 'External', replicas: 1, maxReplicas: 3, idleTimeout: '60s' };

  it('share the work: the number is theirs, zero and the budget stay ours', async () => {
    const models = [
      sim('asleep', { ...scaling, minReplicas: 0 }, { ...busy, external: () => 2 }),
      sim('zero', scaling, { ...busy, external: (at) => (at % (20 * MINUTE) < 11 * MINUTE ? 2 : 0) }),
      sim('awake', { ...scaling, minReplicas: 1 }, { external: () => 9 }),
    ];
    const trouble = { killEveryMs: 7 * MINUTE };
    const pool = aPool({ capacity: { accelerators: 9 }, admission });
    const world = await simulate({ seed: 13, pool, models, trouble }, HOUR);
    expect(world.violations).toEqual([]);
    expectAccounted(world);
    expect([...world.outcomes.refused]).toEqual([]);
    const written = (name: string) => (world.writes.get(name) ?? []).map(({ replicas }) => replicas);
    const most = (name: string) => Math.max(...written(name));
    expect([most('asleep'), most('zero'), most('awake')]).toEqual([2, 2, 3]);
    expect(written('asleep').filter((replicas) => replicas === 0)).toHaveLength(3);
    expect(written('zero')).toContain(0);
    expect(['asleep', 'zero', 'awake'].map((name) => world.cluster.replicas(name))).toEqual([0, 0, 3]);
  });

  it('keep a model within an overcommitted budget, whatever is asked for', async () => {
    const models = [
      sim('wide', { ...scaling, minReplicas: 0 }, { ...busy, external: () => 3 }),
      sim('narrow', { minReplicas: 0, idleTimeout: '60s' }, { rate: () => 1 / 60, priority: 5 }),
    ];
    const world = await simulate({ seed: 14, pool: overcommitted(3), models }, HOUR);
    expect(world.violations).toEqual([]);
    expectAccounted(world);
    expect(world.events.some(({ model, reason }) => model === 'narrow' && reason === 'Woken')).toBe(true);
  });
});

it('does nothing while nothing happens', async () => {
  const names = Array.from({ length: 20 }, (_, i) => `model-${i}`);
  const models = names.map((name) =>
    sim(name, { minReplicas: 0, idleTimeout: '60s' }, { rate: bursts(HOUR, MINUTE, 1) }),
  );
  const world = await simulate({ seed: 11, pool: overcommitted(20), models }, 5 * MINUTE);
  expect(world.violations).toEqual([]);
  expect(names.map((name) => world.cluster.replicas(name))).toEqual(names.map(() => 0));
  const { reconciles } = world.operator;
  await world.run(30 * MINUTE);
  expect(world.operator.reconciles - reconciles).toBe(0);
});
