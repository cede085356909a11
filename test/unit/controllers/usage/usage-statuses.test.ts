import { Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { UsageCounters } from '../../../../operator/controllers/usage/usage-counters.ts';
import { UsageStatuses } from '../../../../operator/controllers/usage/usage-statuses.ts';
import { type Allocation, account } from '../../../../operator/usage/account.ts';
import { type Bucket, EMPTY_BUCKET } from '../../../../operator/usage/bucket.ts';
import { emptyLedger, type Ledger } from '../../../../operator/usage/ledger.ts';
import { HOUR_MS } from '../../../../operator/usage/periods.ts';
import { addedUsage } from '../../../../operator/usage/windows.ts';
import { FakeClock } from '../../kube/support/fake-clock.ts';
import { aModel, aPool } from '../fixtures.ts';
import { aState, put } from '../support.ts';

const MORNING = Date.UTC(2026, 10, 2, 8);
const NOTHING = { allocations: [], sleepers: [], batches: [] };

function setUp(models = ['chat', 'code']) {
  const clock = new FakeClock({ wall: MORNING });
  const registry = new Registry();
  const state = aState();
  let keys: string[] = [];
  const queue = { add: (key: string) => void keys.push(key) };
  const queues = { inferencemodel: queue, inferencepool: queue };
  const pool = put(state.pools.store, aPool({ accelerator: { type: 'A100', hourlyCost: '2.00' } }));
  const [first] = models.map((name) => put(state.models.store, aModel(name)));
  const queued = () => {
    const all = keys;
    keys = [];
    return all;
  };
  return {
    clock,
    registry,
    state,
    pool,
    model: first ?? aModel('none'),
    statuses: new UsageStatuses({ state, queues, clock }),
    queued,
  };
}

/** A ledger in which pods run since a time until another. */
function used(ledger: Ledger, pods: Partial<Allocation>[], now: number): Ledger {
  const allocations = pods.map((pod, i) => ({
    uid: `${pod.model}${i}`,
    model: 'chat',
    accelerators: 1,
    start: MORNING - 15 * HOUR_MS,
    hourlyCost: 2,
    ...pod,
  }));
  return account(ledger, { allocations, sleepers: [], batches: [] }, now);
}

describe('usage in status', () => {
  it('has hour, day and month of models and of their pool, with the price of the time', () => {
    const { statuses, pool, model, clock } = setUp();
    const ledger = used(emptyLedger('platform'), [{}, { model: 'code', accelerators: 4 }], MORNING + 600_000);
    clock.block(600_000);
    statuses.update(pool, new Map([['platform', ledger]]), added(emptyLedger('platform'), ledger));
    expect(statuses.of(model)).toEqual({
      time: '2026-11-02T08:10:00Z',
      hour: { acceleratorSeconds: 600, cost: '0.33' },
      day: { acceleratorSeconds: 29_400, cost: '16.33' },
      month: { acceleratorSeconds: 54_600, cost: '30.33' },
    });
    expect(statuses.of(pool)?.month).toEqual({ acceleratorSeconds: 273_000, cost: '151.67' });
  });

  it('changes only for models that used something', () => {
    const { statuses, pool, clock, queued, model } = setUp();
    const first = used(emptyLedger('platform'), [{}, { model: 'code' }], MORNING);
    statuses.update(pool, new Map([['platform', first]]), added(emptyLedger('platform'), first));
    expect(queued()).toEqual(['platform/chat', 'platform/code', 'platform/pool']);
    const status = statuses.of(model);
    clock.block(60_000);
    const second = used(first, [{ end: MORNING }, { model: 'code' }], MORNING + 60_000);
    statuses.update(pool, new Map([['platform', second]]), added(first, second));
    expect(queued()).toEqual(['platform/code', 'platform/pool']);
    expect(statuses.of(model)).toBe(status);
    clock.block(60_000);
    statuses.update(pool, new Map([['platform', second]]), []);
    expect(queued()).toEqual([]);
  });

  it('stays as it was while a model sleeps and another one runs', () => {
    const { statuses, pool, clock, queued, model } = setUp();
    const sleepers = [{ model: 'chat', accelerators: 1 }];
    const first = account(used(emptyLedger('platform'), [{}], MORNING), { ...NOTHING, sleepers }, MORNING);
    statuses.update(pool, new Map([['platform', first]]), added(emptyLedger('platform'), first));
    queued();
    const status = statuses.of(model);
    clock.block(60_000);
    const pod = { uid: 'code', model: 'code', accelerators: 1, start: MORNING };
    const second = account(first, { ...NOTHING, sleepers, allocations: [pod] }, MORNING + 60_000);
    expect(added(first, second).map(([key]) => key)).toContain('platform/chat');
    statuses.update(pool, new Map([['platform', second]]), added(first, second));
    expect(queued()).toEqual(['platform/code', 'platform/pool']);
    expect(statuses.of(model)).toBe(status);
  });

  it('leaves rounds out where many models change, and misses none', () => {
    const names = Array.from({ length: 1_200 }, (_, i) => `m${i}`);
    const { statuses, pool, clock, queued } = setUp(names);
    const keys = names.map((name): [string, Bucket] => [
      `platform/${name}`,
      { ...EMPTY_BUCKET, acceleratorMs: 1 },
    ]);
    const ledger = used(emptyLedger('platform'), [{ model: 'm1199' }], MORNING);
    statuses.update(pool, new Map([['platform', ledger]]), keys);
    queued();
    clock.block(60_000);
    statuses.update(pool, new Map([['platform', ledger]]), keys);
    expect(queued()).toEqual([]);
    clock.block(60_000);
    statuses.update(pool, new Map([['platform', ledger]]), []);
    expect(queued()).toEqual(['platform/m1199', 'platform/pool']);
  });
});

function added(before: Ledger, after: Ledger): [string, Bucket][] {
  return [...addedUsage(before, after)].map(([name, bucket]) => [`platform/${name}`, bucket]);
}

describe('counters of usage', () => {
  it('count what was added, and end with their model', async () => {
    const { registry, state, model } = setUp();
    const counters = new UsageCounters(registry, state.models.store);
    const ledger = used(emptyLedger('platform'), [{}], MORNING);
    for (const [name, more] of addedUsage(emptyLedger('platform'), ledger))
      counters.add('platform/pool', { namespace: 'platform', name }, more);
    const labels = 'namespace="platform",model="chat",pool_namespace="platform",pool="pool"';
    const series = `vllm_operator_model_accelerator_seconds_total{${labels}} 54000`;
    expect(await registry.metrics()).toContain(series);
    expect(await registry.metrics()).toContain(`vllm_operator_model_cost_total{${labels}} 30`);
    state.models.store.remove(model);
    expect(await registry.metrics()).not.toContain('model="chat"');
  });

  it('put models that are not there, or in another pool, under one name', async () => {
    const { registry, state } = setUp();
    const counters = new UsageCounters(registry, state.models.store);
    const [more] = addedUsage(emptyLedger('platform'), used(emptyLedger('platform'), [{}], MORNING)).values();
    if (!more) throw new Error('nothing was added');
    counters.add('platform/pool', { namespace: 'platform', name: 'gone' }, more);
    counters.add('platform/other', { namespace: 'platform', name: 'chat' }, more);
    expect(await registry.metrics()).toContain(
      'seconds_total{namespace="platform",model="(other)",pool_namespace="(other)",pool="(other)"} 108000',
    );
  });
});
