import fc from 'fast-check';
import { expect, it } from 'vitest';
import { canonicalQuantity as asServer } from '../../../hack/devcluster/apiserver/schema/quantity.ts';
import { canonicalQuantity } from '../../../operator/values/canonical-quantity.ts';

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
])('%s is written as %s', (text, canonical) => {
  expect(canonicalQuantity(text)).toBe(canonical);
});

it('agrees with what answers of kube-apiserver were replayed on, and stays as it is', () => {
  const suffix = fc.constantFrom('', 'm', 'k', 'M', 'G', 'Ki', 'Mi', 'Gi', 'Ti');
  const text = fc
    .tuple(fc.nat(100_000), fc.option(fc.nat(999)), suffix)
    .map(([whole, part, unit]) => `${whole}${part === null ? '' : `.${part}`}${unit}`);
  fc.assert(
    fc.property(text, (quantity) => {
      const written = canonicalQuantity(quantity);
      expect(written).toBe(asServer(quantity));
      expect(canonicalQuantity(written)).toBe(written);
    }),
  );
});

it('refuses what is no quantity', () => {
  expect(() => canonicalQuantity('much')).toThrow(RangeError);
});
