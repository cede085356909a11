import { expect, test } from 'vitest';
import { contains } from '../../../operator/kube/contains.ts';
import { stableHash } from '../../../operator/kube/stable-hash.ts';

test.each([
  [{ a: 1, b: { c: [1, { d: 2 }] } }, { b: { c: [1, {}] } }, true],
  [{ a: [1, 2] }, { a: [1] }, false],
  [{ a: [1, 2] }, { a: [2, 1] }, false],
  [{ a: 1 }, { a: '1' }, false],
  [{ a: 1 }, { a: 1, b: undefined }, true],
  [{ a: 1 }, { b: null }, false],
  [{ a: {} }, { a: [] }, false],
  [undefined, {}, false],
])('%j contains %j: %s', (live, wanted, expected) => {
  expect(contains(live, wanted)).toBe(expected);
});

test('a hash does not depend on the order of keys, nor on members that do not exist', () => {
  expect(stableHash({ a: 1, b: [{ c: 1, d: undefined }] })).toBe(stableHash({ b: [{ c: 1 }], a: 1 }));
  expect(stableHash([1, 2])).not.toBe(stableHash([2, 1]));
});
