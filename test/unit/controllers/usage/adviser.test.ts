import { expect, it, onTestFinished } from 'vitest';
import type { Advice } from '../../../../operator/advice/advice.ts';
import { type AdviceStatus, advice as schema } from '../../../../operator/api/status.ts';
import { Assessments } from '../../../../operator/controllers/acceptance/assessments.ts';
import { Resolutions } from '../../../../operator/controllers/shared/resolutions.ts';
import { AdviceStatuses } from '../../../../operator/controllers/usage/advice-statuses.ts';
import { Adviser } from '../../../../operator/controllers/usage/adviser.ts';
import { silentLogger } from '../../../../operator/kube/logger.ts';
import { type Bucket, EMPTY_BUCKET } from '../../../../operator/usage/bucket.ts';
import { type Day, EMPTY_DAY, emptyLedger, type Ledger } from '../../../../operator/usage/ledger.ts';
import { DAY_MS, HOUR_MS } from '../../../../operator/usage/periods.ts';
import { FakeClock } from '../../kube/support/fake-clock.ts';
import { aModel, aPool } from '../fixtures.ts';
import { anAcceptance, aState, put } from '../support.ts';

const MINUTE_MS = 60_000;
const START = Date.UTC(2026, 10, 10);
const SCALING = { minReplicas: 6, maxReplicas: 8, target: 10 };
const LOWER = { rule: 'ReplicasUnused', change: 'lower minReplicas from 6 to 4', monthlySaving: '2920.00' };

/** A record of the days before the start, with as many requests in flight in each hour. */
function record(peakInFlight: number, days = 8): Ledger {
  const hour: Bucket = { ...EMPTY_BUCKET, readyMs: HOUR_MS, watchedMs: HOUR_MS, requests: 100, peakInFlight };
  const rows = new Map(Array.from({ length: 24 }, (_, at) => [at, hour]));
  const names = ['chat', 'code'];
  const day: Day = { ...EMPTY_DAY, models: new Map(names.map((name) => [name, rows])) };
  const dates = Array.from({ length: days }, (_, back) =>
    new Date(START - (back + 1) * DAY_MS).toISOString().slice(0, 10),
  );
  return { ...emptyLedger('platform'), days: new Map(dates.map((date) => [date, day])) };
}

/** A leader with one model. What is queued is written into its status, as the reconciler does. */
function setUp({ status }: { status?: AdviceStatus } = {}) {
  const clock = new FakeClock({ wall: START });
  const state = aState();
  const pool = put(state.pools.store, aPool({ accelerator: { type: 'A100', hourlyCost: '2.00' } }));
  put(state.models.store, {
    ...aModel('chat', { scaling: SCALING }),
    ...(status && { status: { advice: status } }),
  });
  const writes: string[] = [];
  const add = (key: string) => {
    writes.push(key);
    const found = state.models.store.get(key);
    const advice = found && statuses.of(found);
    if (found) put(state.models.store, { ...found, status: { ...found.status, ...(advice && { advice }) } });
  };
  const statuses = new AdviceStatuses({ state, queues: { inferencemodel: { add } } });
  const resolutions = new Resolutions(state);
  const acceptance = anAcceptance(state, { resolutions });
  const assessments = new Assessments({ state, resolutions, acceptance, clock });
  const ledgers = new Map([['platform', record(25)]]);
  /** Whether the models use something. */
  const use = { isOn: true };
  const time = () => String(use.isOn ? clock.now() : 0);
  const adviser = new Adviser({
    state,
    assessments: {
      of: (each) => {
        if (each.metadata.name === 'broken') throw new Error('a fault');
        return assessments.of(each);
      },
    },
    usage: { of: () => ({ time: time(), hour: { acceleratorSeconds: 1 } }) as never },
    advice: statuses,
    ledgersOf: () => ledgers,
    clock,
    log: silentLogger,
  });
  const stop = new AbortController();
  const ended = adviser.run(stop.signal);
  onTestFinished(async () => {
    stop.abort();
    await ended;
  });
  const shown = (name = 'chat') => state.models.store.get(`platform/${name}`)?.status?.advice;
  return { clock, state, pool, writes, ledgers, use, shown };
}

it('advises models two minutes after the start, by the record and with the price of the pool', async () => {
  const { clock, writes, shown } = setUp();
  await clock.advance(MINUTE_MS);
  expect(shown()).toBeUndefined();
  await clock.advance(2 * MINUTE_MS);
  expect(shown()).toEqual([LOWER]);
  expect(writes).toEqual(['platform/chat']);
});

it('changes advice at most once an hour', async () => {
  const { clock, writes, ledgers, shown } = setUp();
  await clock.advance(3 * MINUTE_MS);
  for (let minute = 0; minute < 58; minute++) {
    ledgers.set('platform', record(30 + minute));
    await clock.advance(MINUTE_MS);
  }
  expect(shown()).toEqual([LOWER]);
  ledgers.set('platform', record(35));
  await clock.advance(3 * MINUTE_MS);
  expect(shown()).toMatchObject([{ change: 'lower minReplicas from 6 to 5' }]);
  expect(writes).toHaveLength(2);
});

it('writes nothing while the advice stays the same, also after a restart', async () => {
  const { clock, writes } = setUp({ status: [LOWER] });
  await clock.advance(5 * HOUR_MS);
  expect(writes).toEqual([]);
});

it('leaves the advice as it is while nothing is used, until the model or its pool is changed', async () => {
  const { clock, state, pool, writes, ledgers, use, shown } = setUp();
  use.isOn = false;
  await clock.advance(3 * MINUTE_MS);
  ledgers.set('platform', record(35));
  await clock.advance(5 * HOUR_MS);
  expect(writes).toHaveLength(1);
  const spec = { ...pool.spec, accelerator: { ...pool.spec.accelerator, hourlyCost: '4.00' } };
  put(state.pools.store, { ...pool, spec, metadata: { ...pool.metadata, generation: 2 } });
  await clock.advance(HOUR_MS);
  expect(shown()).toMatchObject([{ change: 'lower minReplicas from 6 to 5', monthlySaving: '2920.00' }]);
  const followed = aModel('chat', { scaling: { ...SCALING, minReplicas: 5 } }, { generation: 2 });
  put(state.models.store, { ...followed, status: state.models.store.get('platform/chat')?.status ?? {} });
  await clock.advance(HOUR_MS);
  expect(shown()).toEqual([]);
});

it('removes the advice of a model that cannot run, and leaves it without a record', async () => {
  const { clock, state, pool, ledgers, shown } = setUp({ status: [LOWER] });
  ledgers.clear();
  await clock.advance(2 * HOUR_MS);
  expect(shown()).toEqual([LOWER]);
  state.pools.store.remove(pool);
  await clock.advance(HOUR_MS);
  expect(shown()).toEqual([]);
});

it('advises the others if one model triggers a fault', async () => {
  const { clock, state, shown } = setUp();
  put(state.models.store, aModel('broken', { scaling: SCALING }));
  put(state.models.store, aModel('code', { scaling: SCALING }));
  await clock.advance(3 * MINUTE_MS);
  expect(shown('code')).toEqual([LOWER]);
  expect(shown('broken')).toBeUndefined();
});

it('has a bounded size, and no money by hints of the catalog', () => {
  const state = aState();
  const model = put(state.models.store, aModel('chat'));
  const statuses = new AdviceStatuses({ state, queues: { inferencemodel: { add: () => {} } } });
  const long: Advice = {
    rule: 'KVCacheUnused',
    change: 'use '.repeat(10_000),
    evidence: '',
    from: 0,
    until: 0,
    patches: [],
    saving: { acceleratorHours: 0, money: 1e300, isEstimate: false },
  };
  const hint: Advice = { ...long, saving: { ...long.saving, isEstimate: true } };
  statuses.set(model, [hint, ...Array.from({ length: 20 }, () => long)]);
  const shown = statuses.of(model);
  expect(schema.parse(shown)).toEqual(shown);
  expect(shown).toHaveLength(5);
  expect(shown?.[0]).not.toHaveProperty('monthlySaving');
});
