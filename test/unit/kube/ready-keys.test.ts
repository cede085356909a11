import { expect, test } from 'vitest';
import { ReadyKeys } from '../../../operator/kube/ready-keys.ts';

test('a key that was taken out comes after those that waited', () => {
  const keys = new ReadyKeys();
  for (const key of ['a', 'b', 'c']) keys.push(key, 0);
  expect(keys.shift()?.key).toBe('a');
  keys.remove('b', 0);
  keys.push('b', 0);
  keys.push('urgent', 1);
  expect([keys.shift(), keys.shift(), keys.shift(), keys.shift()].map((next) => next?.key)).toEqual([
    'urgent',
    'c',
    'b',
    undefined,
  ]);
  keys.push('d', 0);
  expect(keys.shift()?.key).toBe('d');
});

test('taking keys out costs the same however many were taken before', () => {
  const keys = new ReadyKeys();
  const count = 300_000;
  for (let i = 0; i < count; i++) keys.push(`team/${i}`, 0);
  let taken = 0;
  // A search past all that were taken before takes far longer than this test may.
  while (keys.shift()) taken += 1;
  expect(taken).toBe(count);
}, 30_000);
