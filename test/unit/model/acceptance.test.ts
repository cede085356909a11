import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { InferenceModel, InferencePool } from '../../../operator/api/types.ts';
import { acceptModels } from '../../../operator/model/acceptance.ts';
import type { Grant } from '../../../operator/model/grant.ts';
import { Holdings } from '../../../operator/model/holdings.ts';
import { resolvePool } from '../../../operator/model/resolve-pool.ts';
import type { Verdict } from '../../../operator/model/verdict.ts';
import { aModel, aPool } from '../controllers/fixtures.ts';
import { resolutionOf } from './support/resolve.ts';

const claimOf = (pool: InferencePool, model: InferenceModel): Grant => resolutionOf(pool, model).claim;

function verdicts(
  pool: InferencePool,
  models: InferenceModel[],
  labels: Record<string, Record<string, string>> = {},
  grants: ReadonlyMap<string, Grant> = new Map(),
): Record<string, Verdict> {
  const { verdicts: result } = acceptModels({
    pool,
    models,
    namespaceLabels: (name) => labels[name],
    accelerator: resolvePool(pool).accelerator,
    resolve: (model) => ({ claim: claimOf(pool, model), fault: undefined }),
    holdings: new Holdings(grants),
  });
  return Object.fromEntries(
    models.map((model) => [model.metadata.name, result.get(model.metadata.uid ?? '') as Verdict]),
  );
}

const reason = (verdict: Verdict | undefined) => (verdict?.accepted === false ? verdict.reason : 'accepted');

describe('acceptModels', () => {
  it('admits the own namespace only, unless the pool says otherwise', () => {
    const models = [aModel('own'), aModel('other', {}, { namespace: 'team-a' })];
    expect(reason(verdicts(aPool(), models).own)).toBe('accepted');
    expect(reason(verdicts(aPool(), models).other)).toBe('NamespaceNotAllowed');
    expect(reason(verdicts(aPool({ allowedNamespaces: { from: 'All' } }), models).other)).toBe('accepted');
  });

  it('admits namespaces by label with a selector', () => {
    const pool = aPool({
      allowedNamespaces: {
        from: 'Selector',
        selector: { matchExpressions: [{ key: 'gpu', operator: 'In', values: ['yes'] }] },
      },
    });
    const models = [
      aModel('a', {}, { namespace: 'team-a' }),
      aModel('b', {}, { namespace: 'team-b' }),
      aModel('c', {}, { namespace: 'unknown' }),
    ];
    const got = verdicts(pool, models, { 'team-a': { gpu: 'yes' }, 'team-b': { gpu: 'no' } });
    expect([reason(got.a), reason(got.b), reason(got.c)]).toEqual([
      'accepted',
      'NamespaceNotAllowed',
      'NamespaceNotAllowed',
    ]);
  });

  it('grants a served name to the older model and names the holder to the newer', () => {
    const old = aModel('old', { model: { source: 'hf://a/b', servedNames: ['chat'] } });
    const young = aModel(
      'young',
      { model: { source: 'hf://a/b', servedNames: ['young', 'chat'] } },
      { creationTimestamp: '2026-02-01T00:00:00Z' },
    );
    const got = verdicts(aPool(), [young, old]);
    expect(reason(got.old)).toBe('accepted');
    expect(got.young).toMatchObject({
      reason: 'ServedNameConflict',
      issue: {
        field: 'spec.model.servedNames',
        value: 'chat',
        reason: 'it is already served in pool platform/pool by platform/old',
      },
    });
  });

  it('counts the names of LoRA adapters', () => {
    const adapters = { engine: { lora: { adapters: [{ name: 'sql', source: 'org/sql' }] } } };
    const got = verdicts(aPool(), [
      aModel('base', adapters),
      aModel('sql', {}, { creationTimestamp: '2026-02-01T00:00:00Z' }),
    ]);
    expect(reason(got.sql)).toBe('ServedNameConflict');
  });

  it('counts inherited adapters in addition to its own', () => {
    const pool = aPool({ engine: { lora: { adapters: [{ name: 'sql', source: 'org/sql' }] } } });
    const own = { engine: { lora: { adapters: [{ name: 'law', source: 'org/law' }] } } };
    const found = verdicts(pool, [
      aModel('base', own),
      aModel('sql', {}, { creationTimestamp: '2026-02-01T00:00:00Z' }),
    ]);
    expect(reason(found.sql)).toBe('ServedNameConflict');
  });

  it('does not let an edit take a name from a model that serves it', () => {
    const edited = aModel(
      'older',
      { model: { source: 'hf://a/b', servedNames: ['chat'] } },
      { generation: 2 },
    );
    const serving = aModel('chat', {}, { creationTimestamp: '2026-03-01T00:00:00Z' });
    const held = new Map([
      ['platform/older', { names: ['older'], replicas: 1 }],
      ['platform/chat', { names: ['chat'], replicas: 1 }],
    ]);
    const got = verdicts(aPool(), [edited, serving], {}, held);
    expect([reason(got.older), reason(got.chat)]).toEqual(['ServedNameConflict', 'accepted']);
  });

  it('charges the maximum against quota and budget', () => {
    const pool = aPool({
      capacity: { accelerators: 4, namespaceQuotas: [{ namespace: 'platform', accelerators: 3 }] },
    });
    const got = verdicts(pool, [
      aModel('a', { scaling: { minReplicas: 1, maxReplicas: 2 } }),
      aModel('b', { scaling: { replicas: 2 } }),
      aModel('c'),
    ]);
    expect([reason(got.a), reason(got.b), reason(got.c)]).toEqual(['accepted', 'QuotaExceeded', 'accepted']);
    expect(got.b).toMatchObject({
      issue: {
        field: 'spec.scaling',
        reason: expect.stringContaining(
          'needs 2 accelerators (2 × 1), but namespace "platform" has 1 of its 3 left',
        ),
      },
    });
  });

  it('with overcommit refuses only what could never run', () => {
    const pool = aPool({ capacity: { accelerators: 1, overcommit: true } });
    const got = verdicts(pool, [aModel('a'), aModel('b')]);
    expect([reason(got.a), reason(got.b)]).toEqual(['accepted', 'accepted']);
    expect(
      reason(verdicts(aPool({ capacity: { accelerators: 0, overcommit: true } }), [aModel('a')]).a),
    ).toBe('QuotaExceeded');
  });

  it('never exceeds a budget, and does not depend on the order in which models are listed', () => {
    const models = fc.array(
      fc.record({ replicas: fc.integer({ min: 0, max: 5 }), day: fc.integer({ min: 1, max: 28 }) }),
      { maxLength: 8 },
    );
    fc.assert(
      fc.property(models, fc.integer({ min: 0, max: 12 }), fc.integer(), (specs, budget, seed) => {
        const pool = aPool({ capacity: { accelerators: budget } });
        const all = specs.map(({ replicas, day }, i) =>
          aModel(
            `m${i}`,
            { scaling: { replicas } },
            { creationTimestamp: `2026-01-${String(day).padStart(2, '0')}T00:00:00Z` },
          ),
        );
        const got = verdicts(pool, all);
        const charged = all
          .filter((model) => got[model.metadata.name]?.accepted)
          .reduce((sum, model) => sum + claimOf(pool, model).replicas, 0);
        expect(charged).toBeLessThanOrEqual(budget);
        const rotated = all.slice(seed % (all.length || 1)).concat(all.slice(0, seed % (all.length || 1)));
        expect(verdicts(pool, rotated)).toEqual(got);
      }),
    );
  });

  it('never takes anything from a holder, whatever everybody edits, deletes and makes', () => {
    const name = fc.constantFrom('v', 'w', 'x', 'y', 'z');
    const step = fc.record({
      model: fc.integer({ min: 0, max: 5 }),
      names: fc.uniqueArray(name, { minLength: 1, maxLength: 3 }),
      replicas: fc.integer({ min: 0, max: 3 }),
      deleted: fc.boolean(),
      kept: fc.boolean(),
    });
    const pool = aPool({ allowedNamespaces: { from: 'All' }, capacity: { accelerators: 5 } });
    const { accelerator } = resolvePool(pool);
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
        const models = new Map<string, InferenceModel>();
        const holdings = new Holdings();
        for (const { model, names: servedNames, replicas, deleted, kept } of steps) {
          const metadata = { namespace: model % 2 === 0 ? 'a' : 'b' };
          const key = `${metadata.namespace}/m${model}`;
          if (deleted) models.delete(key);
          else {
            const source = { model: { source: 'hf://a/b', servedNames } };
            models.set(key, aModel(`m${model}`, { ...source, scaling: { replicas } }, metadata));
          }
          const before = new Map(holdings.grants);
          const { verdicts: told } = acceptModels({
            pool,
            models: [...models.values()],
            namespaceLabels: () => ({}),
            accelerator,
            resolve: (candidate) => ({ claim: claimOf(pool, candidate), fault: undefined }),
            holdings,
            isReserved: () => kept,
          });
          const granted = [...holdings.grants.values()];
          const held = granted.flatMap((grant) => grant.names);
          expect(new Set(held).size).toBe(held.length);
          expect(granted.reduce((sum, grant) => sum + grant.replicas, 0)).toBeLessThanOrEqual(5);
          for (const [candidate, of] of models) {
            const verdict = told.get(of.metadata.uid ?? '');
            expect(holdings.of(candidate)).toEqual(
              verdict?.accepted ? claimOf(pool, of) : before.get(candidate),
            );
          }
          // What is counted along the way is what a new leader counts from the record.
          const anew = new Holdings(holdings.grants);
          expect([holdings.replicas, holdings.share('a'), holdings.share('b')]).toEqual([
            anew.replicas,
            anew.share('a'),
            anew.share('b'),
          ]);
        }
      }),
    );
  });

  it('checks each deleted model once, independent of the number of claims', () => {
    const pool = aPool({ capacity: { accelerators: 20 } });
    const gone = Array.from({ length: 20 }, (_, i): [string, Grant] => [
      `platform/gone-${i}`,
      { names: [`gone-${i}`], replicas: 1 },
    ]);
    const asked: string[] = [];
    const claim = (name: string, replicas: number) => aModel(name, { scaling: { replicas } });
    const models = [...Array.from({ length: 50 }, (_, i) => claim(`more-${i}`, 1000)), claim('small', 2)];
    const holdings = new Holdings(new Map(gone));
    const { verdicts: told } = acceptModels({
      pool,
      models,
      namespaceLabels: () => ({}),
      accelerator: resolvePool(pool).accelerator,
      resolve: (model) => ({ claim: claimOf(pool, model), fault: undefined }),
      holdings,
      isReserved: () => true,
      podsOf: (key) => {
        asked.push(key);
        return 0;
      },
    });
    expect(reason(told.get('uid-more-49'))).toBe('QuotaExceeded');
    expect(reason(told.get('uid-small'))).toBe('accepted');
    expect(holdings.replicas).toBe(20);
    // Those that are given up are asked about again, and the rest at most once more.
    expect(asked.length).toBeLessThan(3 * gone.length);
  });
});
