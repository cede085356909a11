import { describe, expect, it } from 'vitest';
import { type ConditionDoc, MODEL_CONDITIONS, POOL_CONDITIONS } from '../../../operator/api/conditions.ts';
import { REASONS, type ReasonDoc } from '../../../operator/api/reasons.ts';
import { condition } from '../../../operator/api/status.ts';

describe.each([
  ['InferenceModel', MODEL_CONDITIONS],
  ['InferencePool', POOL_CONDITIONS],
])('conditions of %s', (_, conditions) => {
  it('are those that kstatus reads', () => {
    const types = Object.keys(conditions);
    expect(types).toEqual(expect.arrayContaining(['Ready', 'Reconciling', 'Stalled']));
  });

  it('pass the schema of status', () => {
    for (const [type, { reasons }] of Object.entries<ConditionDoc>(conditions)) {
      for (const reason of Object.keys(reasons)) {
        const value = {
          type,
          status: 'True',
          lastTransitionTime: '2026-01-01T00:00:00Z',
          reason,
          message: '',
        };
        expect(condition.safeParse(value).success).toBe(true);
      }
    }
  });
});

describe('reasons', () => {
  it('all belong to a condition', () => {
    const used = new Set<string>(
      [MODEL_CONDITIONS, POOL_CONDITIONS].flatMap((conditions) =>
        Object.values<ConditionDoc>(conditions).flatMap(({ reasons }) => Object.keys(reasons)),
      ),
    );
    expect(Object.keys(REASONS).filter((reason) => !used.has(reason))).toEqual([]);
  });

  it('are explained in sentences', () => {
    const docs: ReasonDoc[] = Object.values(REASONS);
    for (const { meaning, remedy = 'None.' } of docs) {
      expect(meaning).toMatch(/^(?:[A-Z]|vLLM|spec\.).*\.$/);
      expect(remedy).toMatch(/^[A-Z].*\.$/);
    }
  });
});
