import { expect, test } from 'vitest';
import {
  normalizeReplicas,
  type ScalingHistory,
} from '../../../hack/devcluster/controllers/scaling-behavior.ts';
import type { HorizontalPodAutoscaler, ScalingRules } from '../../../hack/devcluster/kinds.ts';

function autoscaler(
  behavior: { scaleUp?: ScalingRules; scaleDown?: ScalingRules } = {},
): HorizontalPodAutoscaler {
  return {
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: { name: 'h' },
    spec: { scaleTargetRef: { kind: 'Deployment', name: 'd' }, minReplicas: 1, maxReplicas: 50, behavior },
  };
}

/** Replicas over time: `desired[i]` is asked for at `i × seconds`, and what comes out is taken. */
function simulate(of: HorizontalPodAutoscaler, from: number, desired: number[], seconds = 15): number[] {
  const history: ScalingHistory = { recommendations: [], changes: [] };
  let current = from;
  return desired.map((wanted, i) => {
    const now = i * seconds * 1000;
    const { replicas } = normalizeReplicas(of, history, current, wanted, now);
    if (replicas !== current) history.changes.push({ by: replicas - current, at: now });
    current = replicas;
    return current;
  });
}

test('by default it grows by 4 or doubles in 15 s, whichever is more', () => {
  expect(simulate(autoscaler(), 1, [40, 40, 40, 40])).toEqual([5, 10, 20, 40]);
});

test('by default it shrinks only when nothing higher was asked for in 300 s', () => {
  const sizes = simulate(
    autoscaler(),
    10,
    Array.from({ length: 22 }, () => 2),
  );

  expect(sizes.slice(0, 20)).toEqual(Array.from({ length: 20 }, () => 10));
  expect(sizes.at(-1)).toBe(2);
});

test('policies and windows of the autoscaler count', () => {
  const down = {
    stabilizationWindowSeconds: 0,
    policies: [{ type: 'Pods', value: 1, periodSeconds: 30 } as const],
  };
  expect(simulate(autoscaler({ scaleDown: down }), 5, [1, 1, 1, 1, 1])).toEqual([4, 4, 3, 3, 2]);

  const up = { stabilizationWindowSeconds: 60 };
  expect(simulate(autoscaler({ scaleUp: up }), 2, [5, 5, 5, 5, 5])).toEqual([2, 2, 2, 2, 5]);

  expect(
    simulate(autoscaler({ scaleDown: { selectPolicy: 'Disabled', stabilizationWindowSeconds: 0 } }), 5, [1]),
  ).toEqual([5]);
});

test('the bounds of the autoscaler hold, and it is said which one', () => {
  const history: ScalingHistory = { recommendations: [], changes: [] };
  const result = normalizeReplicas(autoscaler(), history, 40, 90, 0);

  expect(result).toMatchObject({ replicas: 50, limited: { reason: 'TooManyReplicas' } });
});
