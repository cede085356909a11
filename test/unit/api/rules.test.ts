import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { API_VERSION } from '../../../operator/api/common.ts';
import { validateManifest } from '../../../operator/api/validate.ts';
import { ACCELERATORS } from '../../../operator/vllm/accelerators.ts';
import { BAD_SPECS, VALID_SPECS } from './support/bad-specs.ts';
import { celHolds, celViolations } from './support/cel.ts';
import { arbitraryOf } from './support/schema-arbitrary.ts';
import { KINDS, type Kind, schemaNodes, specSchema } from './support/schemas.ts';

/** What the CEL rules say, in the words of the command line. */
function byCel(kind: Kind, spec: unknown): string[] {
  return celViolations(specSchema(kind), spec)
    .map(({ field, message }) => `${field}: ${message}`)
    .sort();
}

/** What the predicates say. */
function byPredicate(kind: Kind, spec: unknown): string[] {
  return validateManifest({ apiVersion: API_VERSION, kind, metadata: { name: 'a' }, spec })
    .map(({ field, reason, remedy }) => `${field}: ${reason}: ${remedy}`)
    .sort();
}

describe('rules', () => {
  it.each(KINDS)('hold of a minimal %s', (kind) => {
    expect(byCel(kind, VALID_SPECS[kind])).toEqual([]);
    expect(byPredicate(kind, VALID_SPECS[kind])).toEqual([]);
  });

  it.each(BAD_SPECS.map((bad) => [bad.kind, JSON.stringify(bad.change), bad] as const))(
    'refuse %s %s',
    (kind, _, { change, field, message }) => {
      const spec = { ...VALID_SPECS[kind], ...change };
      const found = byCel(kind, spec);
      expect(found).toHaveLength(1);
      expect(found[0]?.slice(0, field.length + 2)).toBe(`${field}: `);
      expect(found[0]?.slice(field.length + 2)).toMatch(message);
      expect(byPredicate(kind, spec)).toEqual(found);
    },
  );

  it.each(KINDS)('of %s are each broken by an example', (kind) => {
    const broken = new Set(
      BAD_SPECS.filter((bad) => bad.kind === kind).flatMap(({ change }) =>
        celViolations(specSchema(kind), { ...VALID_SPECS[kind], ...change }).map(({ rule }) => rule.rule),
      ),
    );
    const rules = schemaNodes(specSchema(kind), 'spec').flatMap(
      ({ schema }) => schema['x-kubernetes-validations'] ?? [],
    );
    const untried = rules
      .map(({ rule }) => rule)
      .filter((rule) => !rule.includes('oldSelf') && !broken.has(rule));
    expect(untried).toEqual([]);
  });

  it.each(KINDS)(
    'say the same in CEL and TypeScript of any %s',
    (kind) => {
      fc.assert(
        fc.property(arbitraryOf(specSchema(kind)), (spec) => {
          expect(byPredicate(kind, spec)).toEqual(byCel(kind, spec));
        }),
        { numRuns: 150 },
      );
      // All of it is work for the processor, which others may use too.
    },
    120_000,
  );
});

describe('the accelerators of one replica', () => {
  it.each(Object.entries(ACCELERATORS))('of %s are as many as a node has', (product, { maxPerNode }) => {
    const broken = (type: string) => byPredicate('InferencePool', { accelerator: { type } }).length > 0;
    const counts = Array.from({ length: 20 }, (_, count) => count);
    expect(counts.filter((count) => !broken(`${product}x${count}`))).toEqual(
      counts.filter((count) => count >= 1 && count <= maxPerNode),
    );
    expect(broken(product)).toBe(false);
  });
});

describe('the claim that the operator makes', () => {
  const claim = schemaNodes(specSchema('InferenceModel'), 'spec').find(
    ({ path }) => path === 'spec.model.cache.pvc',
  );
  const schema = claim?.schema ?? {};
  const rule = (schema['x-kubernetes-validations'] ?? []).find((candidate) =>
    candidate.rule.includes('oldSelf'),
  );
  const allowed = (self: object, oldSelf: object) => celHolds(rule?.rule ?? '', schema, self, oldSelf);
  const size = '10Gi';

  it.each([
    [{ size: '20Gi' }, { size }],
    [
      { size, storageClassName: 'fast' },
      { size, storageClassName: 'fast' },
    ],
    [{ claimName: 'mine' }, { size, storageClassName: 'fast' }],
    [{ size, storageClassName: 'fast' }, { claimName: 'mine' }],
  ])('may become %j from %j', (self, oldSelf) => {
    expect(allowed(self, oldSelf)).toBe(true);
  });

  it.each([
    [{ size, storageClassName: 'fast' }, { size }],
    [{ size }, { size, storageClassName: 'fast' }],
    [
      { size, storageClassName: 'slow' },
      { size, storageClassName: 'fast' },
    ],
    [
      { size, accessModes: ['ReadWriteMany'] },
      { size, accessModes: ['ReadWriteOnce'] },
    ],
  ])('may not become %j from %j', (self, oldSelf) => {
    expect(allowed(self, oldSelf)).toBe(false);
  });
});
