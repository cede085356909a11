import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalQuantity, parseQuantity, quantityValue } from '../../../operator/values/quantity.ts';

it.each([
  ['1000m', '1'],
  ['2', '2'],
  ['0.5', '500m'],
  ['1.5m', '1500u'],
  ['0', '0'],
  ['0.0Gi', '0'],
  ['1024Mi', '1Gi'],
  ['1.5Gi', '1536Mi'],
  ['1000Ki', '1000Ki'],
  ['512', '512'],
  ['1000M', '1G'],
  ['3000', '3k'],
  ['2e3', '2k'],
  ['-1', '-1'],
])('%s is written as %s', (text, canonical) => {
  expect(canonicalQuantity(text)).toBe(canonical);
});

it('preserves the value and is idempotent', () => {
  const suffix = fc.constantFrom('', 'm', 'k', 'M', 'G', 'Ki', 'Mi', 'Gi', 'Ti');
  const text = fc
    .tuple(fc.nat(100_000), fc.option(fc.nat(999)), suffix)
    .map(([whole, part, unit]) => `${whole}${part === null ? '' : `.${part}`}${unit}`);
  fc.assert(
    fc.property(text, (quantity) => {
      const written = canonicalQuantity(quantity);
      expect(parseQuantity(written)?.nano).toBe(parseQuantity(quantity)?.nano);
      expect(canonicalQuantity(written)).toBe(written);
    }),
  );
});

it('rejects invalid quantities', () => {
  expect(() => canonicalQuantity('much')).toThrow(RangeError);
});

describe('quantityValue', () => {
  it.each([
    ['1Gi', 2 ** 30],
    ['500m', 0.5],
    ['2', 2],
    ['1.5Mi', 1.5 * 2 ** 20],
    ['3k', 3000],
    ['2e3', 2000],
    ['-1', -1],
    ['80Gi', 80 * 2 ** 30],
  ])('%s is %d', (text, value) => expect(quantityValue(text)).toBe(value));

  it.each(['', 'Gi', '1GB', '1 Gi', '1e9999'])('refuses %j', (text) => {
    expect(() => quantityValue(text)).toThrow(RangeError);
  });
});
