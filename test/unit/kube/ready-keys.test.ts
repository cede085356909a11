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

test('namespaces take turns, so that one with thousands of keys does not delay the others', () => {
  const keys = new ReadyKeys();
  for (let i = 0; i < 1_000; i++) keys.push(`many/${i}`, 0);
  keys.push('few/0', 0);
  keys.push('few/1', 0);
  const order = Array.from({ length: 5 }, () => keys.shift()?.key);
  expect(order).toEqual(['many/0', 'few/0', 'many/1', 'few/1', 'many/2']);
});

test('a namespace that comes back all the time takes no turns from those that wait', () => {
  const keys = new ReadyKeys();
  for (let i = 0; i < 3; i++) keys.push(`waits/${i}`, 0);
  const order: string[] = [];
  for (let i = 0; i < 6; i++) {
    keys.push('busy/0', 0);
    order.push(keys.shift()?.key ?? '');
  }
  expect(order).toEqual(['waits/0', 'busy/0', 'waits/1', 'busy/0', 'waits/2', 'busy/0']);
});

test('a namespace whose keys were all taken away has no turn', () => {
  const keys = new ReadyKeys();
  keys.push('gone/0', 0);
  keys.push('here/0', 0);
  keys.remove('gone/0', 0);
  expect([keys.shift()?.key, keys.shift()]).toEqual(['here/0', undefined]);
});

test('live changes, however many, do not keep keys of the first list from their turn', () => {
  const keys = new ReadyKeys();
  for (let i = 0; i < 3; i++) keys.push(`listed/${i}`, -100);
  const order: string[] = [];
  for (let i = 0; i < 24; i++) {
    keys.push(`busy/${i}`, 0);
    keys.push(`busy/${i}-again`, 0);
    order.push(keys.shift()?.key ?? '');
  }
  expect(order.filter((key) => key.startsWith('listed/'))).toEqual(['listed/0', 'listed/1', 'listed/2']);
  expect(order.slice(0, 7).some((key) => key.startsWith('listed/'))).toBe(false);
});
