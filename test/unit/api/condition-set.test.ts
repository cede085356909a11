import { expect, it } from 'vitest';
import { modelConditions as model, poolConditions as pool } from '../../../operator/api/condition-set.ts';

const statuses = (updates: readonly { type: string; status: string }[]) =>
  Object.fromEntries(updates.map(({ type, status }) => [type, status]));

it('takes the status of a condition from the table', () => {
  expect(model.condition('MemoryFit', 'UnknownModel', 'm')).toEqual({
    type: 'MemoryFit',
    status: 'Unknown',
    reason: 'UnknownModel',
    message: 'm',
  });
  expect(model.condition('CacheReady', 'Disabled', '').status).toBe('True');
  expect(pool.condition('CacheReady', 'Disabled', '').status).toBe('True');
});

it('says the summary as kstatus reads it', () => {
  expect(statuses(model.settled('EnginesReady', ''))).toEqual({
    Ready: 'True',
    Reconciling: 'False',
    Stalled: 'False',
  });
  expect(statuses(model.reconciling('True', 'ScalingUp', ''))).toEqual({
    Ready: 'True',
    Reconciling: 'True',
    Stalled: 'False',
  });
  expect(statuses(pool.stalled('RouterCrashed', ''))).toEqual({
    Ready: 'False',
    Reconciling: 'False',
    Stalled: 'True',
  });
});

it('does not compile a reason that a condition does not have, nor a status against the table', () => {
  // @ts-expect-error misspelt
  model.condition('MemoryFit', 'Fitz', '');
  // @ts-expect-error of another condition
  model.condition('Accepted', 'Fits', '');
  // @ts-expect-error of pools only
  model.stalled('RouterCrashed', '');
  // @ts-expect-error depends on more than the reason
  model.condition('Available', 'EnginesStarting', '');
  expect(model.order.slice(0, 2)).toEqual(['Ready', 'Available']);
});
