import { expect, test } from 'vitest';
import {
  newReplicaSetSize,
  planRollingUpdate,
  planScaling,
} from '../../../hack/devcluster/controllers/rollout-plan.ts';
import type { Deployment, ReplicaSet } from '../../../hack/devcluster/kinds.ts';

type Bounds = { maxSurge?: number | string; maxUnavailable?: number | string };

function deployment(replicas: number, rollingUpdate: Bounds = {}): Deployment {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'd' },
    spec: {
      replicas,
      selector: {},
      template: { spec: { containers: [] } },
      strategy: { type: 'RollingUpdate', rollingUpdate },
    },
  };
}

function set(name: string, replicas: number, availableReplicas = replicas): ReplicaSet {
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: { name, creationTimestamp: name },
    spec: { replicas, selector: {}, template: { spec: { containers: [] } } },
    status: { replicas, availableReplicas },
  };
}

/** Follows the plan to its end, each new pod becoming available, and returns the sizes [old, new] on the way. */
function rollOut(of: Deployment): [number, number][] {
  let [old, current] = [set('old', of.spec.replicas ?? 1), set('new', 0)];
  const steps: [number, number][] = [];
  for (let i = 0; i < 20; i++) {
    const plan = planRollingUpdate(of, current, [old]);
    if (plan.size === 0) return steps;
    old = set('old', plan.get('old') ?? old.spec.replicas ?? 0);
    current = set('new', plan.get('new') ?? current.spec.replicas ?? 0);
    steps.push([old.spec.replicas ?? 0, current.spec.replicas ?? 0]);
  }
  throw new Error('the rollout does not end');
}

test.each<[string, Deployment, [number, number][]]>([
  [
    'one replica with surge',
    deployment(1, { maxSurge: 1, maxUnavailable: 0 }),
    [
      [1, 1],
      [0, 1],
    ],
  ],
  [
    'one replica without room',
    deployment(1, { maxSurge: 0, maxUnavailable: 1 }),
    [
      [0, 0],
      [0, 1],
    ],
  ],
  [
    'defaults',
    deployment(4),
    [
      [4, 1],
      [2, 1],
      [2, 3],
      [0, 3],
      [0, 4],
    ],
  ],
])('%s', (_name, of, steps) => {
  expect(rollOut(of)).toEqual(steps);
});

test('old pods that are not available go first, and no available one goes too early', () => {
  const plan = planRollingUpdate(deployment(3, { maxSurge: 1, maxUnavailable: 0 }), set('new', 1, 0), [
    set('old', 3, 2),
  ]);

  expect(Object.fromEntries(plan)).toEqual({});
});

test('a first ReplicaSet gets all replicas', () => {
  expect(newReplicaSetSize(deployment(5), [], 0)).toBe(5);
});

test('a scaled Deployment passes its size to its only ReplicaSet, also from zero', () => {
  expect(planScaling(deployment(3), set('new', 1), [set('old', 0)]).get('new')).toBe(3);
  expect(planScaling(deployment(3), set('new', 0), []).get('new')).toBe(3);
});

test('in the middle of a rollout a new size is shared out, and nothing is lost', () => {
  const plan = planScaling(deployment(10, { maxSurge: 2, maxUnavailable: 0 }), set('new', 3), [
    set('old', 3),
  ]);

  expect((plan.get('new') ?? 0) + (plan.get('old') ?? 0)).toBe(12);
});
