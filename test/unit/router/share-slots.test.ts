import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RouteModel } from '../../../operator/router/route-table.ts';
import { shareSlots } from '../../../operator/router/share-slots.ts';
import { model } from '../../support/route-table.ts';

function running(namespace: string, name: string, engines: number, created = 0): RouteModel {
  const addresses = Array.from({ length: engines }, (_, i) => `10.0.0.1:${i + 1}`);
  return model(name, addresses, { namespace, created, uid: `${namespace}/${name}` });
}
const engines = (models: readonly RouteModel[]) =>
  models.map(({ uid, endpoints }) => [uid, endpoints.length]);

describe('shareSlots', () => {
  it('returns models that fit unchanged', () => {
    const models = [running('a', 'one', 3), running('b', 'two', 2)];
    expect(shareSlots(models, 7)).toEqual({ models, omitted: [] });
    expect(shareSlots(models, 7).models).toBe(models);
  });

  it('takes nothing from a namespace for the many engines of another', () => {
    const models = [running('a', 'one', 3), running('b', 'two', 1000)];
    const shared = shareSlots(models, 20);
    expect(engines(shared.models)).toEqual([
      ['a/one', 3],
      ['b/two', 15],
    ]);
    expect(shared.omitted).toEqual([{ namespace: 'b', models: 0, engines: 985 }]);
  });

  it('leaves out the youngest models of a namespace that has too many', () => {
    const many = Array.from({ length: 100 }, (_, i) => running('b', `m${i}`, 0, 100 - i));
    const shared = shareSlots([running('a', 'one', 1), ...many], 12);
    expect(engines(shared.models)).toEqual([
      ['a/one', 1],
      ...Array.from({ length: 10 }, (_, i) => [`b/m${90 + i}`, 0]),
    ]);
    expect(shared.omitted).toEqual([{ namespace: 'b', models: 90, engines: 0 }]);
  });

  it('shares the engines of a namespace among its models', () => {
    const shared = shareSlots(
      [running('a', 'one', 2), running('a', 'two', 50), running('a', 'three', 50)],
      20,
    );
    expect(engines(shared.models)).toEqual([
      ['a/one', 2],
      ['a/two', 7],
      ['a/three', 8],
    ]);
  });

  it('never gives more than there is, nor a namespace less than an equal part that it needs', () => {
    const needs = fc.array(fc.array(fc.nat(30), { minLength: 1, maxLength: 5 }), {
      minLength: 1,
      maxLength: 6,
    });
    fc.assert(
      fc.property(needs, fc.integer({ min: 10, max: 60 }), (teams, room) => {
        const models = teams.flatMap((counts, t) =>
          counts.map((count, i) => running(`t${t}`, `m${i}`, count)),
        );
        const given = shareSlots(models, room).models;
        const size = (list: readonly RouteModel[], team?: string) =>
          list
            .filter(({ namespace }) => team === undefined || namespace === team)
            .reduce((sum, { endpoints }) => sum + 1 + endpoints.length, 0);
        expect(size(given)).toBeLessThanOrEqual(room);
        for (const [t] of teams.entries()) {
          const needed = size(models, `t${t}`);
          expect(size(given, `t${t}`)).toBeGreaterThanOrEqual(
            Math.min(needed, Math.floor(room / teams.length)),
          );
        }
      }),
    );
  });
});
