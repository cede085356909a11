import { expect, it } from 'vitest';
import { KeyPace } from '../../../../operator/controllers/routes/key-pace.ts';
import type { RouteKey } from '../../../../operator/router/route-table.ts';

const MODELS = 5_000;
const keysOf = (...names: string[]): RouteKey[] => names.map((name) => ({ sha256: name, tenant: 'team-a' }));

it('passes a change on at once, and a team that edits a key all the time causes few', () => {
  const pace = new KeyPace();
  let known: readonly RouteKey[] = [];
  let changes = 0;
  const see = (now: number, keys: readonly RouteKey[]) => {
    const { keys: next, waitMs } = pace.at(now, keys, MODELS);
    if (next !== known) changes += 1;
    known = next;
    return waitMs;
  };
  expect(see(0, keysOf('first'))).toBeUndefined();
  expect(see(60_000, keysOf('first', 'second'))).toBeUndefined();
  expect([known.length, changes]).toEqual([2, 2]);
  let waitMs: number | undefined;
  let edited: RouteKey[] = [];
  for (let now = 60_050; now <= 120_000; now += 50) {
    edited = keysOf('first', `edit-${now}`);
    waitMs = see(now, edited);
  }
  expect(changes).toBeLessThan(15);
  expect(waitMs).toBeGreaterThan(0);
  expect(see(120_000 + (waitMs ?? 0), edited), 'the last edit arrives too').toBeUndefined();
  expect(known).toBe(edited);
});

it('does not take the same keys for a change', () => {
  const pace = new KeyPace();
  pace.at(0, keysOf('a'), MODELS);
  expect(pace.at(10_000, keysOf('a'), MODELS).waitMs).toBeUndefined();
  expect(pace.at(10_001, keysOf('a', 'b'), MODELS).keys).toHaveLength(2);
});

it('lets the first keys of a pool in at once', () => {
  const pace = new KeyPace();
  pace.at(0, keysOf('a'), MODELS);
  pace.at(10_000, [], MODELS);
  expect(pace.at(10_001, keysOf('a'), MODELS).keys).toHaveLength(1);
});
