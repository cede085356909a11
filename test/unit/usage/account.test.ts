import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Activity, type Allocation, account } from '../../../operator/usage/account.ts';
import { emptyLedger, type Ledger, MAX_PODS, OTHER, WHOLE_DAY } from '../../../operator/usage/ledger.ts';
import { DAY_MS, HOUR_MS } from '../../../operator/usage/periods.ts';
import { openText, readLedger } from '../../../operator/usage/stored-ledger.ts';
import { allOf } from './support.ts';

const MIDNIGHT = Date.UTC(2026, 10, 28);
const at = (hours: number) => MIDNIGHT + hours * HOUR_MS;
const nothing = { allocations: [], sleepers: [], batches: [], activities: [] };

function pod(uid: string, more: Partial<Allocation> = {}): Allocation {
  return { uid, model: 'chat', accelerators: 1, start: at(0), ...more };
}

/** What a list of pods says at a time: those that have begun, with their end once it has come. */
function seenAt(pods: readonly Allocation[], now: number): Allocation[] {
  return pods
    .filter(({ start }) => start <= now)
    .map(({ end, ...rest }) => ({ ...rest, ...(end !== undefined && end <= now && { end }) }));
}

describe('accelerator time', () => {
  it('adds up to the accelerator-second over a day of starts, ends and sleep', () => {
    const day = [
      pod('a', { start: at(8), end: at(12) + 17_000, accelerators: 4, hourlyCost: 2.5 }),
      pod('b', { start: at(9.5), end: at(9.5) + 61_000, accelerators: 4, hourlyCost: 2.5 }),
      pod('c', { model: 'code', start: at(0), end: at(24) }),
      pod('d', { start: at(22.75), accelerators: 2, hourlyCost: 2.5 }),
    ];
    let ledger = emptyLedger('team');
    for (let now = at(0); now <= at(24); now += 60_000)
      ledger = account(ledger, { ...nothing, allocations: seenAt(day, now) }, now);
    const seconds = 4 * (4 * 3_600 + 17) + 4 * 61 + 2 * 1.25 * 3_600;
    expect(allOf(ledger, 'chat').acceleratorMs).toBe(seconds * 1_000);
    expect(allOf(ledger, 'code').acceleratorMs).toBe(DAY_MS);
    expect(allOf(ledger, 'chat').cost / 1e9).toBeCloseTo((seconds / 3_600) * 2.5, 6);
    expect(allOf(ledger, 'code')).toMatchObject({ cost: 0, pricedMs: 0 });
    const hours = ledger.days.get('2026-11-28')?.models.get('code');
    expect([...(hours?.values() ?? [])].map(({ acceleratorMs }) => acceleratorMs)).toEqual(
      Array(24).fill(HOUR_MS),
    );
  });

  it('is the same however often it is accounted, and from whichever stored state a process resumes', () => {
    const pods = fc.array(
      fc.record({
        start: fc.integer({ min: 0, max: 3_000 }),
        seconds: fc.option(fc.integer({ min: 0, max: 3_000 }), { nil: undefined }),
        accelerators: fc.integer({ min: 1, max: 8 }),
      }),
      { maxLength: 6 },
    );
    const rounds = fc.array(fc.record({ after: fc.integer({ min: 1, max: 900 }), dies: fc.boolean() }), {
      minLength: 1,
      maxLength: 20,
    });
    fc.assert(
      fc.property(pods, rounds, (made, steps) => {
        const all = made.map(({ start, seconds, accelerators }, i) =>
          pod(`p${i}`, {
            start: at(22) + start * 1_000,
            accelerators,
            ...(seconds !== undefined && { end: at(22) + (start + seconds) * 1_000 }),
          }),
        );
        let now = at(22);
        let ledger = emptyLedger('team');
        for (const { after, dies } of steps) {
          now += after * 1_000;
          const next = account(ledger, { ...nothing, allocations: seenAt(all, now) }, now);
          // A process that dies leaves what was stored the last time.
          const text = openText(dies ? ledger : next, () => true);
          ledger = readLedger(text, undefined)?.ledger as Ledger;
        }
        ledger = account(ledger, { ...nothing, allocations: seenAt(all, now) }, now);
        const expected = seenAt(all, now).reduce(
          (sum, { start, end = now, accelerators }) => sum + accelerators * (end - start),
          0,
        );
        expect(allOf(ledger, 'chat').acceleratorMs).toBe(expected);
      }),
    );
  });

  it('counts a pod that has ended once, for as long as it is still listed', () => {
    const ended = [pod('a', { end: at(1) })];
    const first = account(emptyLedger('team'), { ...nothing, allocations: ended }, at(2));
    expect(account(first, { ...nothing, allocations: ended }, at(3))).toBe(first);
    expect(allOf(first, 'chat').acceleratorMs).toBe(HOUR_MS);
  });

  it('counts nothing before the last 35 days, whatever a pod says of its start', () => {
    const ledger = account(emptyLedger('team'), { ...nothing, allocations: [pod('a', { start: 0 })] }, at(0));
    expect(allOf(ledger, 'chat').acceleratorMs).toBe(34 * DAY_MS);
  });

  it('counts nothing while the clock is behind', () => {
    const ledger = account(emptyLedger('team'), { ...nothing, allocations: [pod('a')] }, at(2));
    expect(account(ledger, { ...nothing, allocations: [pod('a')] }, at(1))).toBe(ledger);
  });

  it('counts ready time from when the pod became ready', () => {
    const allocations = [pod('a', { readySince: at(0.5) })];
    const ledger = account(emptyLedger('team'), { ...nothing, allocations }, at(2));
    expect(allOf(ledger, 'chat').readyMs).toBe(1.5 * HOUR_MS);
  });
});

describe('time asleep', () => {
  it('costs nothing, changes nothing while it lasts, and is counted when the model wakes', () => {
    const sleepers = [{ model: 'chat', accelerators: 2 }];
    const asleep = account(emptyLedger('team'), { ...nothing, sleepers }, at(1));
    expect(account(asleep, { ...nothing, sleepers }, at(20))).toBe(asleep);
    const awake = account(asleep, nothing, at(30));
    expect(allOf(awake, 'chat')).toMatchObject({ acceleratorMs: 0, asleepMs: 2 * 29 * HOUR_MS });
    expect(awake.days.get('2026-11-29')?.models.get('chat')?.get(WHOLE_DAY)?.asleepMs).toBe(2 * 6 * HOUR_MS);
    expect(awake.asleep.size).toBe(0);
  });
});

describe('counts of routers', () => {
  const count = {
    model: 'chat',
    tenant: 'team/ci',
    requests: 3,
    promptTokens: 100,
    completionTokens: 50,
    cachedRequests: 1,
    cachedTokens: 40,
  };

  it('adds each batch once, to the model and to the key', () => {
    const batches = [{ router: 'r', id: 7, counts: [count] }];
    const first = account(emptyLedger('team'), { ...nothing, batches }, at(1));
    expect(account(first, { ...nothing, batches }, at(2))).toBe(first);
    const { model: _, tenant: __, ...numbers } = count;
    expect(allOf(first, 'chat')).toMatchObject(numbers);
    expect(first.days.get('2026-11-28')?.keys.get('chat')?.get('team/ci')).toEqual(numbers);
  });
});

describe('what was seen of a model', () => {
  const activity = (more: Partial<Activity>): Activity => ({
    model: 'chat',
    since: at(1),
    isWatched: true,
    peakInFlight: 0,
    wakes: 0,
    coldStartMs: 0,
    ...more,
  });
  const hoursOf = (ledger: Ledger) => ledger.days.get('2026-11-28')?.models.get('chat');

  it('is watched while pods held accelerators, once for all of them, if every router reported', () => {
    const allocations = [
      pod('a', { start: at(0), end: at(1.25) }),
      pod('b', { start: at(1.5), end: at(2) }),
      pod('c', { start: at(1.75) }),
    ];
    const seen = { ...nothing, allocations, activities: [activity({})] };
    expect(allOf(account(emptyLedger('team'), seen, at(3)), 'chat').watchedMs).toBe(1.75 * HOUR_MS);
    const unknown = { ...seen, activities: [activity({ isWatched: false })] };
    expect(allOf(account(emptyLedger('team'), unknown, at(3)), 'chat').watchedMs).toBe(0);
  });

  it('gives a peak to each hour in which it can have been, and does not add peaks up', () => {
    const at7 = (peakInFlight: number) => ({
      ...nothing,
      activities: [activity({ since: at(7) - 30_000, peakInFlight })],
    });
    const first = account(emptyLedger('team'), at7(9), at(7) + 30_000);
    const ledger = account(first, at7(4), at(7) + 30_000);
    expect([...(hoursOf(ledger) ?? [])].map(([hour, { peakInFlight }]) => [hour, peakInFlight])).toEqual([
      [6, 9],
      [7, 9],
    ]);
    expect(account(ledger, { ...nothing, activities: [activity({})] }, at(8))).toBe(ledger);
  });

  it('adds cold starts up', () => {
    const activities = [activity({ wakes: 2, coldStartMs: 90_000 })];
    const first = account(emptyLedger('team'), { ...nothing, activities }, at(2));
    const ledger = account(first, { ...nothing, activities }, at(3));
    expect(allOf(ledger, 'chat')).toMatchObject({ wakes: 4, coldStartMs: 180_000 });
    expect(hoursOf(ledger)?.get(3)).toMatchObject({ wakes: 2, coldStartMs: 90_000 });
  });
});

describe('a team that makes up names', () => {
  const count = { requests: 1, promptTokens: 2, completionTokens: 3, cachedRequests: 0, cachedTokens: 0 };
  const keys = (team: string, n: number) => Array.from({ length: n }, (_, i) => `${team}/key-${i}`);

  it('gets rows for some of its keys and one for the others, and leaves rows for the keys of others', () => {
    const tenants = [...keys('b', 600), ...keys('c', 600), 'a/ci', 'd', ...keys('b', 600)];
    const counts = tenants.map((tenant) => ({ model: 'chat', tenant, ...count }));
    const batches = [{ router: 'r', id: 1, counts }];
    const ledger = account(emptyLedger('team'), { ...nothing, batches }, at(1));
    const rows = ledger.days.get('2026-11-28')?.keys.get('chat') ?? new Map<string, typeof count>();
    expect(rows.size).toBeLessThanOrEqual(500);
    expect(rows.get('a/ci')).toEqual(count);
    expect(rows.get('d')).toEqual(count);
    const requestsOf = (team: string) =>
      [...rows].filter(([tenant]) => tenant.split('/')[0] === team).reduce((n, [, of]) => n + of.requests, 0);
    expect([requestsOf('b'), requestsOf('c')]).toEqual([1_200, 600]);
    const again = [{ router: 'r', id: 2, counts: [{ model: 'chat', tenant: 'e/ci', ...count }] }];
    const next = account(ledger, { ...nothing, batches: again }, at(2));
    expect(next.days.get('2026-11-28')?.keys.get('chat')?.get('e/ci')).toEqual(count);
  });

  it('gets a bounded number of rows, and loses no time of the others', () => {
    const allocations = Array.from({ length: 600 }, (_, i) => pod(`p${i}`, { model: `m${i}` }));
    const ledger = account(emptyLedger('team'), { ...nothing, allocations }, at(1));
    const models = ledger.days.get('2026-11-28')?.models;
    expect(models?.size).toBe(501);
    expect(allOf(ledger, OTHER).acceleratorMs).toBe(100 * HOUR_MS);
  });

  it('has a bounded number of pods, of which those that were counted before stay', () => {
    const first = account(emptyLedger('team'), { ...nothing, allocations: [pod('mine')] }, at(1));
    const flood = Array.from({ length: MAX_PODS + 10 }, (_, i) => pod(`p${i}`, { start: at(1) }));
    const ledger = account(first, { ...nothing, allocations: [...flood, pod('mine')] }, at(2));
    expect(ledger.pods.size).toBe(MAX_PODS);
    expect(ledger.pods.get('mine')).toBe(at(2));
  });

  it('can call a model like a member of every object', () => {
    const allocations = [pod('a', { model: 'constructor' })];
    const ledger = account(emptyLedger('team'), { ...nothing, allocations }, at(1));
    const stored = readLedger(
      openText(ledger, () => true),
      undefined,
    )?.ledger as Ledger;
    expect(allOf(stored, 'constructor').acceleratorMs).toBe(HOUR_MS);
  });
});
