import { describe, expect, it } from 'vitest';
import {
  type Node,
  nodeNotice,
  repels,
  trimNode,
} from '../../../../operator/controllers/evacuation/eviction-notice.ts';
import type { Pod } from '../../../../operator/controllers/shared/workloads.ts';

const node = (
  spec: Node['spec'] = {},
  conditions: { type: string; message?: string; status?: string }[] = [],
) =>
  ({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'gpu-0', uid: 'u', resourceVersion: '7', labels: { a: 'b' } },
    spec,
    status: { conditions: conditions.map((condition) => ({ status: 'True', ...condition })) },
  }) as Node;
const tainted = (key: string, effect = 'NoSchedule') => node({ taints: [{ key, effect }] });
const pod = (tolerations: object[] = []) => ({ spec: { tolerations } }) as Pod;

describe('a notice', () => {
  it.each([
    'aws-node-termination-handler/spot-itn',
    'cloud.google.com/impending-node-termination',
    'remediator.kubernetes.azure.com/unschedulable',
    'karpenter.sh/disrupted',
    'karpenter.sh/disruption',
    'ToBeDeletedByClusterAutoscaler',
    'node.cloudprovider.kubernetes.io/shutdown',
    'node.kubernetes.io/out-of-service',
  ])('is the taint %s', (key) => {
    expect(nodeNotice(tainted(key))).toMatchObject({ source: key, certain: true });
  });

  it.each([
    [[{ type: 'VMEventScheduled', message: 'Preempt Scheduled: Mon, 02 Mar 2026 19:01:45 GMT' }], true],
    [[{ type: 'PreemptionScheduled', message: 'Preempt Started: .' }], true],
    [[{ type: 'PreemptionScheduled', message: 'SpotRebalanceRecommendation Advisory: .' }], false],
    [[{ type: 'VMEventScheduled', message: 'Freeze Scheduled: Mon, 02 Mar 2026 19:01:45 GMT' }], undefined],
    [[{ type: 'VMEventScheduled', message: 'Preempt Scheduled: .', status: 'False' }], undefined],
    [[{ type: 'Ready', message: 'Preempt' }], undefined],
  ])('of AKS is a condition: %j', (conditions, certain) => {
    expect(nodeNotice(node({}, conditions))?.certain).toBe(certain);
  });

  it('is no plain cordon, and no wish of the autoscaler', () => {
    expect(nodeNotice(node({ unschedulable: true }))).toBeUndefined();
    expect(nodeNotice(tainted('node.kubernetes.io/unschedulable'))).toBeUndefined();
    expect(nodeNotice(tainted('DeletionCandidateOfClusterAutoscaler', 'PreferNoSchedule'))).toBeUndefined();
    expect(nodeNotice(tainted('nvidia.com/gpu'))).toBeUndefined();
  });

  it('that is certain outweighs one that is not', () => {
    const likely = { key: 'aws-node-termination-handler/rebalance-recommendation', effect: 'NoSchedule' };
    const certain = { key: 'aws-node-termination-handler/spot-itn', effect: 'NoSchedule' };
    expect(nodeNotice(node({ taints: [likely] }))?.certain).toBe(false);
    expect(nodeNotice(node({ taints: [likely, certain] }))).toMatchObject({
      source: certain.key,
      certain: true,
    });
  });
});

describe('the cached form of a node', () => {
  it('is its name and its notice', () => {
    expect(trimNode(node({}, [{ type: 'Ready' }]))).toEqual({
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: 'gpu-0', uid: 'u', resourceVersion: '7' },
    });
    expect(trimNode(tainted('karpenter.sh/disrupted')).notice?.source).toBe('karpenter.sh/disrupted');
  });
});

describe('a node repels', () => {
  const notice = (spec: Node['spec']) => {
    const found = nodeNotice(
      node({
        ...spec,
        taints: [...(spec?.taints ?? []), { key: 'karpenter.sh/disrupted', effect: 'PreferNoSchedule' }],
      }),
    );
    if (!found) throw new Error('no notice');
    return found;
  };
  const hard = { key: 'cloud.google.com/gke-spot', value: 'true', effect: 'NoSchedule' };

  it('pods that do not tolerate each of its taints, and all when it is cordoned', () => {
    expect(repels(notice({ taints: [hard] }), pod())).toBe(true);
    expect(repels(notice({ taints: [hard] }), pod([{ key: hard.key, operator: 'Exists' }]))).toBe(false);
    expect(repels(notice({ taints: [hard] }), pod([{ key: hard.key, value: 'true' }]))).toBe(false);
    expect(repels(notice({ taints: [hard] }), pod([{ key: hard.key, value: 'false' }]))).toBe(true);
    expect(repels(notice({ taints: [hard] }), pod([{ operator: 'Exists', effect: 'NoExecute' }]))).toBe(true);
    expect(repels(notice({ taints: [hard] }), pod([{ operator: 'Exists' }]))).toBe(false);
    expect(repels(notice({ unschedulable: true }), pod())).toBe(true);
  });

  it('no pod by a PreferNoSchedule taint', () => {
    expect(repels(notice({}), pod())).toBe(false);
  });
});
