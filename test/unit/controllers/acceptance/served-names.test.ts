/** Names that models hold of a pool stay with them, whatever they and others do to their objects (docs/adr/0013). */
import { describe, expect, it } from 'vitest';
import { RESERVATION_MS } from '../../../../operator/controllers/acceptance/reservations.ts';
import { contested, names, setUp } from './support/accepted-models.ts';

describe('a name', () => {
  it('stays with its model across every edit, though an older model waits for it', () => {
    const { model, verdict } = contested();
    for (const spec of [{ priority: 5 }, { suspend: true }, { scaling: { replicas: 3 } }]) {
      model('b/holder', { ...names('chat'), ...spec });
      expect([verdict('b/holder'), verdict('a/older')]).toEqual(['accepted', 'ServedNameConflict']);
    }
  });

  it('stays with a model whose change is rejected, together with its other grants', () => {
    const { model, verdict, acceptance, pool, find } = contested();
    model('b/holder', names('chat', 'own'));
    expect([verdict('b/holder'), verdict('a/older')]).toEqual(['ServedNameConflict', 'ServedNameConflict']);
    expect(acceptance.grant(pool(), find('b/holder'))?.names).toEqual(['chat']);
    model('b/holder', { ...names('chat'), engine: { tensorParallelSize: 64 } });
    expect(verdict('a/older')).toBe('ServedNameConflict');
    expect(acceptance.grant(pool(), find('b/holder'))?.names).toEqual(['chat']);
  });

  it('stays with a model that is replaced, and is free some time after a deletion', async () => {
    const { model, remove, verdict, message, clock, acceptance, pool } = contested();
    remove('b/holder');
    expect(message('a/older')).toContain('"chat": it is reserved in pool platform/pool for b/holder');
    await clock.advance(RESERVATION_MS - 1);
    model('b/holder', names('chat'));
    expect([verdict('b/holder'), verdict('a/older')]).toEqual(['accepted', 'ServedNameConflict']);
    remove('b/holder');
    expect(verdict('a/older')).toBe('ServedNameConflict');
    expect(acceptance.changesInMs(pool())).toBe(RESERVATION_MS);
    await clock.advance(RESERVATION_MS);
    expect(verdict('a/older')).toBe('accepted');
    expect(acceptance.changesInMs(pool())).toBeUndefined();
  });

  it('is reserved for its namespace, whose other models may get it at once', () => {
    const { model, remove, verdict } = contested();
    model('b/refused', names('own'));
    remove('b/holder');
    expect(verdict('a/older')).toBe('ServedNameConflict');
    model('b/other', names('chat'));
    expect([verdict('b/other'), verdict('a/older')]).toEqual(['accepted', 'ServedNameConflict']);
  });

  it('stays with a model that is being deleted until the deletion is complete', async () => {
    const { model, verdict, clock } = contested();
    model('b/holder', names('chat'), { deletionTimestamp: '2026-01-02T00:00:00Z' });
    await clock.advance(RESERVATION_MS * 2);
    expect(verdict('a/older')).toBe('ServedNameConflict');
  });

  it('of two that came in one second stays with the one that was accepted, whoever else comes in it', () => {
    const { model, verdict } = setUp();
    const creationTimestamp = '2026-01-01T00:00:00Z';
    model('a/second', names('chat'), { creationTimestamp });
    model('a/third', names('chat'), { creationTimestamp });
    expect([verdict('a/second'), verdict('a/third')]).toEqual(['accepted', 'ServedNameConflict']);
    model('a/first', names('chat'), { creationTimestamp });
    expect([verdict('a/first'), verdict('a/second')]).toEqual(['ServedNameConflict', 'accepted']);
  });

  it('is not swapped by two changes, and moves on when its holder releases it', () => {
    const { model, verdict, acceptance, pool, find } = setUp();
    model('a/one', names('x'));
    model('a/two', names('y'));
    expect([verdict('a/one'), verdict('a/two')]).toEqual(['accepted', 'accepted']);
    model('a/one', names('y'));
    model('a/two', names('x'));
    expect([verdict('a/one'), verdict('a/two')]).toEqual(['ServedNameConflict', 'ServedNameConflict']);
    expect(acceptance.grant(pool(), find('a/one'))?.names).toEqual(['x']);
    model('a/one', names('z'));
    expect([verdict('a/one'), verdict('a/two')]).toEqual(['accepted', 'accepted']);
    expect(acceptance.grant(pool(), find('a/two'))?.names).toEqual(['x']);
  });

  it('is not held by a model that was rejected or whose spec is invalid', () => {
    const { model, verdict } = setUp();
    model('a/broken', { ...names('chat'), engine: { tensorParallelSize: 64 } });
    model('a/large', { model: { source: 'hf://meta-llama/Llama-3.3-70B-Instruct', servedNames: ['chat'] } });
    model('a/held', names('more'));
    model('a/refused', names('more', 'chat'));
    model('b/chat', names('chat'));
    expect([verdict('a/refused'), verdict('b/chat')]).toEqual(['ServedNameConflict', 'accepted']);
  });

  it('leaves with a model that moves to another pool', async () => {
    const { model, verdict, clock } = contested();
    model('b/holder', { ...names('chat'), poolRef: { name: 'second', namespace: 'platform' } });
    await clock.advance(0);
    expect(verdict('a/older')).toBe('ServedNameConflict');
    await clock.advance(RESERVATION_MS);
    expect(verdict('a/older')).toBe('accepted');
  });

  it('notifies the models whose verdict changes', () => {
    const { model, verdict, changed } = contested();
    changed.length = 0;
    model('b/holder', names('talk'));
    expect(verdict('a/older')).toBe('accepted');
    expect(changed).toEqual(['a/older']);
  });
});
