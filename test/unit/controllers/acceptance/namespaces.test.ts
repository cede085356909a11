/** What a namespace may have of a pool. */
import { describe, expect, it } from 'vitest';
import { RESERVATION_MS } from '../../../../operator/controllers/acceptance/reservations.ts';
import { contested, names, setUp } from './support/accepted-models.ts';

describe('a namespace', () => {
  it('may have so many models in a pool, those that it has come first', () => {
    const { model, verdict, message, editPool, remove } = setUp({ capacity: { modelsPerNamespace: 2 } });
    for (const key of ['a/one', 'a/two', 'a/three', 'b/four']) model(key, { suspend: true });
    expect(['a/one', 'a/two', 'a/three', 'b/four'].map(verdict)).toEqual([
      'accepted',
      'accepted',
      'QuotaExceeded',
      'accepted',
    ]);
    expect(message('a/three')).toContain('raise spec.capacity.modelsPerNamespace');
    editPool({ capacity: { modelsPerNamespace: 1 } });
    expect(['a/one', 'a/two', 'a/three'].map(verdict)).toEqual(['accepted', 'accepted', 'QuotaExceeded']);
    remove('a/one');
    remove('a/two');
    expect(verdict('a/three')).toBe('accepted');
  });

  it('may have so many characters of names', () => {
    const { model, verdict, message } = setUp({ capacity: { modelsPerNamespace: 5000 } });
    const adapters = (i: number) =>
      Array.from({ length: 64 }, (_, j) => ({ name: `${i}-${j}-${'x'.repeat(240)}`, source: 'a/b' }));
    for (let i = 0; i < 20; i++) model(`a/m${i}`, { engine: { lora: { adapters: adapters(i) } } });
    expect([verdict('a/m0'), verdict('a/m19')]).toEqual(['accepted', 'QuotaExceeded']);
    expect(message('a/m19')).toContain('characters');
    model('b/one');
    expect(verdict('b/one')).toBe('accepted');
  });

  it('that may no longer use the pool has nothing that runs there, and its names are free after a while', async () => {
    const { model, verdict, editPool, acceptance, pool, find, clock } = contested();
    editPool({ allowedNamespaces: { from: 'Selector', selector: { matchLabels: { team: 'a' } } } });
    expect([verdict('b/holder'), acceptance.mayRun(pool(), find('b/holder'))]).toEqual([
      'NamespaceNotAllowed',
      false,
    ]);
    editPool({});
    model('b/holder', { ...names('chat'), priority: 1 });
    expect([verdict('b/holder'), verdict('a/older')]).toEqual(['accepted', 'ServedNameConflict']);
    editPool({ allowedNamespaces: { from: 'Same' } });
    expect(verdict('a/older')).toBe('NamespaceNotAllowed');
    await clock.advance(RESERVATION_MS);
    verdict('a/older');
    editPool({});
    expect([verdict('a/older'), verdict('b/holder')]).toEqual(['accepted', 'ServedNameConflict']);
  });
});
