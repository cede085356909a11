import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AGING_MS, arbitrate, type BudgetModel, roomFor } from '../../../operator/scaling/budget.ts';

const model = (uid: string, more: Partial<BudgetModel> = {}): BudgetModel => ({
  uid,
  namespace: 'team-a',
  priority: 0,
  held: 0,
  wants: 0,
  waitingSince: 0,
  inUse: false,
  lastUsed: 0,
  mayGiveUp: false,
  stays: false,
  leaving: false,
  ...more,
});
const sleeper = (uid: string, more: Partial<BudgetModel> = {}) =>
  model(uid, { held: 1, mayGiveUp: true, ...more });
const waiter = (uid: string, more: Partial<BudgetModel> = {}) => model(uid, { wants: 1, ...more });
const decide = (
  accelerators: number,
  models: BudgetModel[],
  more: { now?: number; namespaceQuotas?: { namespace: string; accelerators: number }[] } = {},
) => arbitrate({ now: 0, namespaceQuotas: [], accelerators, models, ...more });

describe('arbitrate', () => {
  it('grants what fits, by priority and then by time', () => {
    const got = decide(2, [
      waiter('late', { waitingSince: 2 }),
      waiter('early', { waitingSince: 1 }),
      waiter('high', { priority: 5, waitingSince: 3 }),
    ]);
    expect(got.granted).toEqual(['high', 'early']);
    expect(got.queue).toEqual([{ uid: 'late', position: 1, reason: 'PoolFull' }]);
  });

  it('puts the idle model of lowest priority and oldest use to sleep, and names for whom', () => {
    const got = decide(3, [
      waiter('w'),
      sleeper('recent', { lastUsed: 9 }),
      sleeper('oldest', { lastUsed: 1 }),
      sleeper('higher', { priority: 1 }),
    ]);
    expect(got).toEqual({
      granted: [],
      evict: [{ uid: 'oldest', for: 'w' }],
      queue: [{ uid: 'w', position: 1, reason: 'PoolFull' }],
    });
  });

  it('never takes from a model in use by an equal or higher priority, until the wait has aged', () => {
    const models = [waiter('w'), sleeper('used', { inUse: true })];
    expect(decide(1, models, { now: AGING_MS - 1 }).evict).toEqual([]);
    expect(decide(1, models, { now: AGING_MS }).evict).toEqual([{ uid: 'used', for: 'w' }]);
  });

  it('takes from a model in use of lower priority at once', () => {
    expect(decide(1, [waiter('w', { priority: 1 }), sleeper('used', { inUse: true })]).evict).toEqual([
      { uid: 'used', for: 'w' },
    ]);
  });

  it('counts leaving models instead of evicting more', () => {
    expect(decide(2, [waiter('w'), sleeper('going', { leaving: true }), sleeper('idle')]).evict).toEqual([]);
  });

  it('evicts no model if that would not be enough', () => {
    expect(
      decide(2, [waiter('big', { wants: 2 }), sleeper('idle'), model('busy', { held: 1, inUse: true })])
        .evict,
    ).toEqual([]);
  });

  it('does not let a small request overtake a large one that waits before it', () => {
    const got = decide(2, [
      waiter('large', { wants: 2, waitingSince: 1 }),
      waiter('small', { waitingSince: 2 }),
      model('busy', { held: 1, inUse: true }),
    ]);
    expect(got.granted).toEqual([]);
    expect(got.queue.map(({ uid }) => uid)).toEqual(['large', 'small']);
  });

  it.each([
    ['than there are', { wants: 3, waitingSince: 1 }, []],
    ['than can ever become free', { wants: 2, waitingSince: 1 }, [model('always', { held: 1, stays: true })]],
    ['beside what it holds for good', { held: 1, stays: true, wants: 2, waitingSince: 1 }, []],
  ])('lets no request for more accelerators %s hold up the others', (_what, large, others) => {
    const got = decide(2, [waiter('large', large), waiter('small', { waitingSince: 2 }), ...others]);
    expect(got.granted).toEqual(['small']);
    expect(got.queue).toEqual([{ uid: 'large', position: 1, reason: 'TooLarge' }]);
  });

  it('lets it wait again like any other once what was held for good goes', () => {
    const models = [waiter('large', { wants: 2, waitingSince: 1 }), waiter('small', { waitingSince: 2 })];
    const going = model('always', { held: 1, stays: true, leaving: true });
    expect(decide(2, [...models, going]).granted).toEqual([]);
  });

  it('keeps a namespace within its quota without holding up the others', () => {
    const quota = { namespaceQuotas: [{ namespace: 'team-a', accelerators: 1 }] };
    const got = decide(
      4,
      [
        waiter('over', { waitingSince: 1 }),
        waiter('other', { namespace: 'team-b', waitingSince: 2 }),
        model('held', { held: 1, inUse: true }),
      ],
      quota,
    );
    expect(got.granted).toEqual(['other']);
    expect(got.queue).toEqual([{ uid: 'over', position: 1, reason: 'NamespaceQuota' }]);
    expect(
      decide(4, [waiter('w'), sleeper('own'), sleeper('foreign', { namespace: 'team-b' })], quota).evict,
    ).toEqual([{ uid: 'own', for: 'w' }]);
  });

  it('never grants more than is free, and evicts only eligible models', () => {
    const anyModel = fc.record({
      uid: fc.uuid(),
      namespace: fc.constantFrom('a', 'b'),
      priority: fc.integer({ min: -2, max: 2 }),
      held: fc.integer({ min: 0, max: 4 }),
      wants: fc.constantFrom(0, 0, 1, 2, 4),
      waitingSince: fc.integer({ min: 0, max: 300_000 }),
      inUse: fc.boolean(),
      lastUsed: fc.integer({ min: 0, max: 300_000 }),
      mayGiveUp: fc.boolean(),
      stays: fc.boolean(),
      leaving: fc.boolean(),
    });
    const all = fc.uniqueArray(anyModel, { selector: ({ uid }) => uid, maxLength: 10 });
    fc.assert(
      fc.property(
        all,
        fc.integer({ min: 0, max: 16 }),
        fc.integer({ min: 0, max: 4 }),
        (models, accelerators, quota) => {
          const got = decide(accelerators, models, {
            now: 300_000,
            namespaceQuotas: [{ namespace: 'a', accelerators: quota }],
          });
          const by = new Map(models.map((m) => [m.uid, m]));
          const granted = got.granted.reduce((sum, uid) => sum + (by.get(uid)?.wants ?? 0), 0);
          const held = models.reduce((sum, m) => sum + m.held, 0);
          if (got.granted.length > 0) expect(granted + held).toBeLessThanOrEqual(accelerators);
          for (const { uid } of got.evict)
            expect(by.get(uid)).toMatchObject({ mayGiveUp: true, leaving: false });
          expect(new Set(got.evict.map(({ uid }) => uid)).size).toBe(got.evict.length);
          const asking = models.filter((m) => m.wants > 0).map((m) => m.uid);
          expect([...got.granted, ...got.queue.map(({ uid }) => uid)].sort()).toEqual(asking.sort());
        },
      ),
    );
  });
});

describe('room for further replicas', () => {
  const room = (models: BudgetModel[], quota = 10) =>
    roomFor('team-a', {
      now: 0,
      accelerators: 8,
      namespaceQuotas: [
        { namespace: 'team-a', accelerators: quota },
        { namespace: 'team-b', accelerators: 2 },
      ],
      models,
    });
  const busy = [model('a', { held: 2, stays: true }), model('b', { held: 2, namespace: 'team-b' })];

  it('is what is free, within the quota of the namespace', () => {
    expect(room(busy)).toBe(4);
    expect(room(busy, 3)).toBe(1);
  });

  it('is zero while a model waits for the pool', () => {
    expect(room([...busy, waiter('w', { wants: 1 })])).toBe(0);
    expect(room([...busy, waiter('w', { wants: 6 })])).toBe(0);
  });

  it('does not shrink for one that asks for more than can become free', () => {
    expect(room([...busy, waiter('large', { wants: 7 })])).toBe(4);
  });

  it('does not shrink because of a model without quota', () => {
    expect(room([...busy, waiter('w', { namespace: 'team-b' })])).toBe(4);
  });
});
