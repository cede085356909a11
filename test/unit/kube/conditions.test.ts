import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type Condition,
  type ConditionUpdate,
  findCondition,
  isTrue,
  setConditions,
} from '../../../operator/kube/conditions.ts';

const MINUTE = 60_000;
const at = (minutes: number) => Date.UTC(2026, 0, 1) + minutes * MINUTE + 123;

describe('setConditions', () => {
  const update = (type: string, status: Condition['status'], reason = 'Because'): ConditionUpdate => ({
    type,
    status,
    reason,
    message: '',
  });

  test('the time moves with the status, not with reason or message', () => {
    const first = setConditions(undefined, [update('Ready', 'False', 'A')], { now: at(0) });
    const second = setConditions(first, [update('Ready', 'False', 'B')], { now: at(1) });
    const third = setConditions(second, [update('Ready', 'True', 'C')], { now: at(2) });
    expect(first[0]?.lastTransitionTime).toBe('2026-01-01T00:00:00Z');
    expect(second[0]).toMatchObject({ reason: 'B', lastTransitionTime: '2026-01-01T00:00:00Z' });
    expect(third[0]).toMatchObject({ reason: 'C', lastTransitionTime: '2026-01-01T00:02:00Z' });
  });

  test('a message is no longer than the API takes', () => {
    const long = { ...update('Ready', 'False'), message: 'x'.repeat(40_000) };
    expect(setConditions([], [long], { now: at(0) })[0]?.message).toHaveLength(32_768);
  });

  test('others stay; the order is that asked for, then by name', () => {
    const existing = setConditions([], [update('Zebra', 'True'), update('Foreign', 'True')], { now: at(0) });
    const all = setConditions(existing, [update('Stalled', 'False'), update('Ready', 'True')], {
      now: at(1),
      order: ['Ready', 'Stalled'],
    });
    expect(all.map(({ type }) => type)).toEqual(['Ready', 'Stalled', 'Foreign', 'Zebra']);
    expect([
      isTrue(all, 'Ready'),
      isTrue(all, 'Stalled'),
      isTrue(all, 'None'),
      findCondition(all, 'None'),
    ]).toEqual([true, false, false, undefined]);
  });

  test('doing the same again changes nothing', () => {
    const updates = fc.array(
      fc.record({
        type: fc.constantFrom('Ready', 'Stalled', 'Other'),
        status: fc.constantFrom('True' as const, 'False' as const, 'Unknown' as const),
        reason: fc.string(),
        message: fc.string(),
      }),
    );
    fc.assert(
      fc.property(updates, updates, (before, after) => {
        const existing = setConditions([], before, { now: at(0) });
        // Two updates of one type in one list are two changes.
        const last = [...new Map(after.map((item) => [item.type, item])).values()];
        const once = setConditions(existing, last, { now: at(1), order: ['Ready'] });
        expect(setConditions(once, last, { now: at(2), order: ['Ready'] })).toEqual(once);
        expect(new Set(once.map(({ type }) => type)).size).toBe(once.length);
      }),
    );
  });
});
