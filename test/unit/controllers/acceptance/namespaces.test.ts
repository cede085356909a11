/** What a namespace may have of a pool. */
import { describe, expect, it } from 'vitest';
import type { InferenceModel } from '../../../../operator/api/types.ts';
import { RESERVATION_MS } from '../../../../operator/controllers/acceptance/reservations.ts';
import { aModel } from '../fixtures.ts';
import { put } from '../support.ts';
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

  it('that the pool does not admit costs it no work, however many models it has', () => {
    const { model, verdict, acceptance, pool, state, editPool, find } = setUp();
    editPool({ allowedNamespaces: { from: 'Same' } });
    model('platform/own');
    let reads = 0;
    const counted = (i: number): InferenceModel =>
      new Proxy(
        aModel(`m${i}`, {}, { namespace: 'stranger', uid: `m${i}`, resourceVersion: `${9_000 + i}` }),
        {
          get: (target, name) => {
            reads += 1;
            return Reflect.get(target, name);
          },
        },
      );
    const workOf = (step: () => void): number => {
      reads = 0;
      step();
      return reads;
    };
    for (let i = 0; i < 1_000; i++) state.models.store.upsert(counted(i));
    const lookAtAll = () => {
      expect(verdict('platform/own')).toBe('accepted');
      expect(acceptance.models(pool()).map(({ metadata }) => metadata.name)).toEqual(['own']);
    };
    expect(workOf(lookAtAll)).toBe(0);
    model('platform/own', names('other'));
    expect(workOf(lookAtAll), 'after an edit of a model that is admitted').toBe(0);
    const verdicts = acceptance.verdicts(pool());
    state.models.store.upsert(
      aModel('m0', names('x'), { namespace: 'stranger', uid: 'm0', generation: 2, resourceVersion: '99000' }),
    );
    expect(acceptance.verdicts(pool()), 'after an edit of one that is not').toBe(verdicts);
    expect(workOf(lookAtAll)).toBe(0);
    expect(verdict('stranger/m0')).toBe('NamespaceNotAllowed');
    expect(acceptance.mayRun(pool(), find('stranger/m0'))).toBe(false);
  });

  it('has its models looked at again when its labels change what it may use', () => {
    const { model, verdict, state, changed, editPool } = setUp();
    const namespace = (labels: Record<string, string>) =>
      put(state.namespaces.store, {
        apiVersion: 'v1',
        kind: 'Namespace',
        metadata: { name: 'a', uid: 'a', labels },
      });
    namespace({});
    editPool({ allowedNamespaces: { from: 'Selector', selector: { matchLabels: { team: 'a' } } } });
    for (const key of ['a/one', 'b/other']) model(key);
    expect(verdict('a/one')).toBe('NamespaceNotAllowed');
    changed.length = 0;
    namespace({ team: 'a' });
    expect([verdict('a/one'), changed]).toEqual(['accepted', ['a/one']]);
    namespace({ team: 'a', note: 'x' });
    expect(changed).toEqual(['a/one']);
    namespace({});
    expect([verdict('a/one'), changed]).toEqual(['NamespaceNotAllowed', ['a/one', 'a/one']]);
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
