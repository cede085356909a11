import { describe, expect, it } from 'vitest';
import { usageReport } from '../../../operator/router/protocol.ts';

const report = (counts: unknown) => usageReport.safeParse({ id: 1, counts });
const pairs = (count: number, value: unknown) =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`t${i}`, value]));

describe('what a router says it counted', () => {
  it('is taken by model and tenant', () => {
    expect(report({ uid: { 'team/ci': [1, 2, 3, 4, 5, 6] } }).success).toBe(true);
    expect(report({}).success).toBe(true);
  });

  it.each([
    ['numbers that no router can count', { uid: { team: [1e13, 0, 0, 0, 0, 0] } }],
    ['negative numbers', { uid: { team: [-1, 0, 0, 0, 0, 0] } }],
    ['too few numbers', { uid: { team: [1] } }],
    ['no numbers', { uid: { team: 'many' } }],
    ['no tenants', { uid: null }],
    ['no models', []],
    [
      'more pairs than a batch has',
      { a: pairs(9_000, [0, 0, 0, 0, 0, 0]), b: pairs(9_000, [0, 0, 0, 0, 0, 0]) },
    ],
    ['long names', { uid: pairs(1, [0, 0, 0, 0, 0, 0]), ['u'.repeat(65)]: {}, ['v'.repeat(65)]: {} }],
    ['thousands of errors', { uid: pairs(10_000, ['x', 'x', 'x', 'x', 'x', 'x']) }],
  ])('is refused at its first error: %s', (_, counts) => {
    expect(report(counts).error?.issues).toHaveLength(1);
  });
});
