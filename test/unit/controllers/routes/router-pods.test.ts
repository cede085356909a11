import { describe, expect, it } from 'vitest';
import { RouterPods } from '../../../../operator/controllers/routes/router-pods.ts';
import type { ClusterState } from '../../../../operator/controllers/shared/cluster-state.ts';
import type { Deployment, Pod } from '../../../../operator/controllers/shared/workloads.ts';
import type { KubeObject, ObjectMeta, OwnerReference } from '../../../../operator/kube/object.ts';
import { poolLabels } from '../../../../operator/render/labels.ts';
import { aPool } from '../fixtures.ts';
import { aState, put } from '../support.ts';

const LABELS = poolLabels('router', { name: 'pool', namespace: 'platform' });

function owner(kind: string, name: string, uid: string): OwnerReference {
  return { apiVersion: kind === 'InferencePool' ? 'x' : 'apps/v1', kind, name, uid, controller: true };
}

function object(kind: string, metadata: ObjectMeta): KubeObject {
  return {
    apiVersion: 'apps/v1',
    kind,
    metadata: { namespace: 'platform', uid: `uid-${metadata.name}`, labels: LABELS, ...metadata },
  };
}

function aPod(name: string, metadata: Partial<ObjectMeta> = {}): Pod {
  const references = [owner('ReplicaSet', 'pool-router-1', 'uid-pool-router-1')];
  return {
    ...object('Pod', { name, ownerReferences: references, ...metadata }),
    spec: {},
    status: { podIP: '10.0.0.1' },
  };
}

/** What Kubernetes makes of the Deployment that the operator has applied for a pool. */
function setUp(): { state: ClusterState; routers: RouterPods; names: () => string[] } {
  const state = aState();
  const pool = put(state.pools.store, aPool());
  put(state.deployments.store, {
    ...object('Deployment', {
      name: 'pool-router',
      ownerReferences: [owner('InferencePool', 'pool', 'pool-uid')],
    }),
    spec: {},
  } as Deployment);
  put(
    state.replicaSets.store,
    object('ReplicaSet', {
      name: 'pool-router-1',
      ownerReferences: [owner('Deployment', 'pool-router', 'uid-pool-router')],
    }),
  );
  const routers = new RouterPods(state);
  const names = () => routers.of(pool).map(({ metadata }) => metadata.name);
  return { state, routers, names };
}

describe('the routers of a pool', () => {
  it('are the pods of the ReplicaSets of its Deployment', () => {
    const { state, names } = setUp();
    put(state.pods.store, aPod('mine'));
    expect(names()).toEqual(['mine']);
  });

  it.each<[string, Partial<ObjectMeta>]>([
    ['in another namespace', { namespace: 'team-b' }],
    ['that nothing owns', { ownerReferences: [] }],
    [
      'whose owner is not its controller',
      {
        ownerReferences: [
          { ...owner('ReplicaSet', 'pool-router-1', 'uid-pool-router-1'), controller: false },
        ],
      },
    ],
    ['of a ReplicaSet that was before', { ownerReferences: [owner('ReplicaSet', 'pool-router-1', 'old')] }],
    ['of a ReplicaSet that nobody knows', { ownerReferences: [owner('ReplicaSet', 'other', 'uid-other')] }],
    [
      'of the Deployment itself',
      { ownerReferences: [owner('Deployment', 'pool-router', 'uid-pool-router')] },
    ],
  ])('are not a pod with their labels %s', (_, metadata) => {
    const { state, names } = setUp();
    put(state.pods.store, aPod('forged', metadata));
    expect(names()).toEqual([]);
  });

  it.each<[string, OwnerReference[]]>([
    ['nothing owns', []],
    ['another Deployment owns', [owner('Deployment', 'mine', 'uid-mine')]],
    ['a Deployment of that name owned before', [owner('Deployment', 'pool-router', 'old')]],
  ])('are not pods of a ReplicaSet that %s', (_, ownerReferences) => {
    const { state, names } = setUp();
    put(state.replicaSets.store, object('ReplicaSet', { name: 'forged', ownerReferences }));
    put(state.pods.store, aPod('forged', { ownerReferences: [owner('ReplicaSet', 'forged', 'uid-forged')] }));
    expect(names()).toEqual([]);
  });

  it('are none while the Deployment of that name is not the pool’s', () => {
    const { state, names } = setUp();
    put(state.pods.store, aPod('pod'));
    const references = [owner('InferencePool', 'pool', 'another-uid')];
    put(state.deployments.store, {
      ...object('Deployment', { name: 'pool-router', ownerReferences: references }),
      spec: {},
    } as Deployment);
    expect(names()).toEqual([]);
  });

  it('remain its routers while they terminate, even after their ReplicaSet was deleted', () => {
    const { state, names } = setUp();
    const pod = put(state.pods.store, aPod('ending'));
    expect(names()).toEqual(['ending']);
    const [set] = state.replicaSets.store.list();
    if (set) state.replicaSets.store.remove(set);
    expect(names()).toEqual(['ending']);
    state.pods.store.remove(pod);
    put(state.pods.store, aPod('ending'));
    expect(names()).toEqual([]);
  });
});
