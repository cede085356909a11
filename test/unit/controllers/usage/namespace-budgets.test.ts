import { describe, expect, it } from 'vitest';
import type { InferencePool } from '../../../../operator/api/types.ts';
import { NamespaceBudgets } from '../../../../operator/controllers/usage/namespace-budgets.ts';
import { account } from '../../../../operator/usage/account.ts';
import { emptyLedger } from '../../../../operator/usage/ledger.ts';
import { HOUR_MS } from '../../../../operator/usage/periods.ts';
import { FakeClock } from '../../kube/support/fake-clock.ts';
import { aModel, aPool } from '../fixtures.ts';
import { aState, put } from '../support.ts';

const START = Date.UTC(2026, 10, 20);

/** A pool whose namespace `team` may spend 100 in a month, and one pod that costs 2 an hour. */
function setUp(budget: object = {}) {
  const clock = new FakeClock({ wall: START });
  const state = aState();
  let keys: string[] = [];
  const notes: string[] = [];
  const budgets = new NamespaceBudgets({
    state,
    queues: { inferencemodel: { add: (key: string) => void keys.push(key) }, scaling: { add: () => {} } },
    events: { emit: (_, { reason, note }) => void notes.push(`${reason}: ${note}`) },
    clock,
  });
  const aPoolWith = (monthly: string): InferencePool =>
    put(
      state.pools.store,
      aPool({
        accelerator: { type: 'A100', hourlyCost: '2.00' },
        capacity: { namespaceBudgets: [{ namespace: 'team', monthly, ...budget }] },
      }),
    );
  const pool = aPoolWith('100');
  const model = put(state.models.store, aModel('chat', {}, { namespace: 'team' }));
  put(state.models.store, aModel('other', {}, { namespace: 'neighbour' }));
  const pod = { uid: 'a', model: 'chat', accelerators: 1, start: START, hourlyCost: 2 };
  let ledger = emptyLedger('team');
  /** Lets hours pass, with a round at their end. Returns the models that are queued. */
  const pass = async (hours: number, more: object = {}) => {
    await clock.advance(hours * HOUR_MS);
    ledger = account(ledger, { allocations: [{ ...pod, ...more }], sleepers: [], batches: [] }, clock.now());
    budgets.update(pool, new Map([['team', ledger]]));
    const queued = keys;
    keys = [];
    return queued;
  };
  return { budgets, pool, model, notes, pass, aPoolWith, state };
}

describe('a budget of money', () => {
  it('warns at its share, and when it is used up, once each', async () => {
    const { budgets, pool, model, notes, pass } = setUp();
    expect(await pass(39)).toEqual(['team/chat']);
    expect(budgets.of(pool, model)).toMatchObject({ status: 'True', reason: 'WithinBudget' });
    expect(await pass(0.5)).toEqual([]);
    expect(await pass(0.5)).toEqual(['team/chat']);
    expect(budgets.of(pool, model)).toMatchObject({ status: 'True', reason: 'BudgetNearlyUsed' });
    expect(await pass(9)).toEqual([]);
    expect(await pass(1)).toEqual(['team/chat']);
    expect(budgets.of(pool, model)).toMatchObject({ status: 'False', reason: 'BudgetExceeded' });
    expect(await pass(1)).toEqual([]);
    expect(notes).toEqual([
      'BudgetNearlyUsed: namespace team has used 80 % or more of its budget of 100 for 2026-11',
      'BudgetExceeded: namespace team has used up its budget of 100 for 2026-11; raise capacity.namespaceBudgets of the pool, or use less',
    ]);
    expect(budgets.used(pool)).toEqual([{ namespace: 'team', limit: 100, used: 102 }]);
  });

  it('stops models if asked to, until it is raised or the month is over', async () => {
    const { budgets, pool, model, pass, aPoolWith } = setUp({ action: 'Stop' });
    await pass(50);
    expect(budgets.of(pool, model)).toMatchObject({ status: 'False', reason: 'BudgetExhausted' });
    expect(budgets.of(aPoolWith('101'), model)?.reason).toBe('BudgetNearlyUsed');
    expect(await pass(9 * 24, { end: START + 50 * HOUR_MS })).toEqual(['team/chat']);
    expect(budgets.of(pool, model)).toMatchObject({ status: 'True', reason: 'WithinBudget' });
  });

  it('is used up also in a currency with large numbers', async () => {
    const { budgets, pass, aPoolWith, model } = setUp({ action: 'Stop' });
    const pool = aPoolWith('16000000');
    const rupiah = { accelerators: 8, hourlyCost: 32_000 };
    await pass(60, rupiah);
    expect(budgets.of(pool, model)?.reason).toBe('BudgetNearlyUsed');
    await pass(3, rupiah);
    expect(budgets.of(pool, model)?.reason).toBe('BudgetExhausted');
    expect(budgets.used(pool)).toEqual([{ namespace: 'team', limit: 16_000_000, used: 16_128_000 }]);
  });

  it('concerns no other namespace, and says so once it is taken away', async () => {
    const { budgets, pool, pass, model } = setUp({ action: 'Stop' });
    await pass(50);
    expect(budgets.of(pool, aModel('other', {}, { namespace: 'neighbour' }))).toBeUndefined();
    const condition = {
      type: 'WithinBudget',
      status: 'False',
      reason: 'BudgetExhausted',
      message: '',
    } as const;
    const stopped = { ...model, status: { conditions: [{ ...condition, lastTransitionTime: '' }] } };
    expect(budgets.of(aPool(), stopped)).toMatchObject({ status: 'True', reason: 'NoBudget' });
  });

  it('stays as it was while a new leader does not know what was spent', () => {
    const { budgets, pool, model } = setUp({ action: 'Stop' });
    const condition = {
      type: 'WithinBudget',
      status: 'False',
      reason: 'BudgetExhausted',
      message: 'm',
    } as const;
    const stopped = { ...model, status: { conditions: [{ ...condition, lastTransitionTime: '' }] } };
    expect(budgets.of(pool, stopped)).toMatchObject(condition);
    expect(budgets.of(pool, model)).toBeUndefined();
    expect(budgets.used(pool)).toEqual([]);
  });
});
