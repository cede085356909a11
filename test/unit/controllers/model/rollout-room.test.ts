import { describe, expect, it } from 'vitest';
import { rolloutRoom, SURGE_PATIENCE_MS } from '../../../../operator/controllers/model/rollout-room.ts';
import type { Deployment, Pod } from '../../../../operator/controllers/shared/workloads.ts';

const START = Date.parse('2026-01-01T00:00:00Z');
const deployment = (maxSurge: number, status: Deployment['status'] = {}): Deployment => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'vllm-roll', generation: 2 },
  spec: { replicas: 1, strategy: { rollingUpdate: { maxSurge } } },
  status: { observedGeneration: 2, replicas: 2, updatedReplicas: 1, ...status },
});
const waiting = (message: string): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'x' },
  spec: {},
  status: {
    conditions: [
      {
        type: 'PodScheduled',
        status: 'False',
        reason: 'Unschedulable',
        message,
        lastTransitionTime: new Date(START).toISOString(),
      },
    ],
  },
});
const full = waiting('0/1 nodes are available: 1 Insufficient nvidia.com/gpu.');
const input = {
  deployment: deployment(1),
  pods: [full],
  resourceName: 'nvidia.com/gpu',
  now: START + SURGE_PATIENCE_MS,
};

describe('a rollout', () => {
  it('waits for accelerators, then stops a previous engine', () => {
    expect(rolloutRoom({ ...input, now: START + 1_000 })).toEqual({
      surge: true,
      requeueAfterMs: SURGE_PATIENCE_MS - 1_000,
    });
    expect(rolloutRoom(input)).toEqual({ surge: false });
  });

  it('stays with that until it has ended', () => {
    expect(rolloutRoom({ ...input, deployment: deployment(0), pods: [] })).toEqual({ surge: false });
    const over = deployment(0, { replicas: 1 });
    expect(rolloutRoom({ ...input, deployment: over })).toEqual({ surge: true });
  });

  it.each([
    [
      'no node that may take it',
      [waiting("0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.")],
    ],
    ['no memory', [waiting('0/1 nodes are available: 1 Insufficient memory.')]],
    ['nothing', []],
  ])('gives up nothing for want of %s', (_, pods) => {
    expect(rolloutRoom({ ...input, pods })).toEqual({ surge: true });
  });

  it.each([0, 1])(
    'is left as it is until the Deployment is seen to have changed: maxSurge %i',
    (maxSurge) => {
      const changed = deployment(maxSurge, { observedGeneration: 1 });
      expect(rolloutRoom({ ...input, deployment: changed })).toEqual({ surge: maxSurge === 1 });
    },
  );

  it('is none while a model starts or grows', () => {
    expect(rolloutRoom({ ...input, deployment: deployment(1, { replicas: 1 }) })).toEqual({ surge: true });
    expect(rolloutRoom({ ...input, deployment: undefined })).toEqual({ surge: true });
  });
});
