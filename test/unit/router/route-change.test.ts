import { describe, expect, it } from 'vitest';
import { changeBetween } from '../../../operator/router/route-change.ts';
import { model, table } from '../../support/route-table.ts';

const [a, b, c, d, e] = ['a', 'b', 'c', 'd', 'e'].map((name) => model(name, []));
if (!a || !b || !c || !d || !e) throw new Error('there are five');

describe('changeBetween', () => {
  it('contains added, changed and removed models', () => {
    const changed = { ...b, state: 'Serving' as const };
    expect(changeBetween(table([a, b, c, d]), table([a, changed, d, e, c]))).toEqual({
      models: [changed, e],
      removed: [],
    });
    expect(changeBetween(table([a, b, c]), table([a, b]))).toEqual({ models: [], removed: [c.uid] });
  });

  it('is empty between tables that say the same', () => {
    expect(changeBetween(table([a, b]), table([a, b]))).toEqual({ models: [], removed: [] });
  });

  it.each<[string, Parameters<typeof table>[1]]>([
    ['keys', { keys: [{ sha256: 'ab'.repeat(32), tenant: 'team-a' }] }],
    ['load balancing', { loadBalancing: 'PrefixAffinity' }],
    ['Redis', { redis: { host: '10.0.0.1', port: 6379, username: 'router', password: 'other' } }],
    ['limits of the cache', { cacheMaxEntryBytes: 1 }],
  ])('takes a whole table for other %s', (_, overrides) => {
    expect(changeBetween(table([a, b]), table([a, b], overrides))).toBeUndefined();
  });

  it('takes a whole table when most models have changed', () => {
    expect(changeBetween(table([a, b]), table([a, c, d]))).toBeUndefined();
  });

  it('takes no whole table for one model of few where that has many keys', () => {
    const keys = Array.from({ length: 1000 }, (_, i) => ({
      sha256: `${i}`.padStart(64, '0'),
      tenant: 'team-a',
    }));
    const changed = { ...a, state: 'Serving' as const };
    expect(changeBetween(table([a], { keys }), table([changed], { keys }))).toEqual({
      models: [changed],
      removed: [],
    });
    expect(changeBetween(table([a]), table([changed]))).toBeUndefined();
  });
});
