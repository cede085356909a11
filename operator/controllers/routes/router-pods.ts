/** Finds the router and Redis pods of a pool. Anyone can set labels, so namespace and owner references decide. */
import type { InferencePool } from '../../api/types.ts';
import { keyOf } from '../../kube/key.ts';
import { controllerOf } from '../../kube/owner-reference.ts';
import { PerObject } from '../../kube/per-object.ts';
import { redisName, routerName } from '../../render/names.ts';
import type { ClusterState } from '../shared/cluster-state.ts';
import type { Pod } from '../shared/workloads.ts';

export class RouterPods {
  readonly #state: ClusterState;
  /** Pods that were verified. A ReplicaSet may be deleted before the last of its pods has terminated. */
  readonly #found: PerObject<true>;

  constructor(state: ClusterState) {
    this.#state = state;
    this.#found = new PerObject(state.pods.store);
  }

  /**
   * The pods of the pool's router Deployment, verified by owner UID from pod to ReplicaSet to Deployment to pool, all
   * in the pool's namespace. Anyone who may write there may change the Deployment itself anyway.
   */
  of(pool: InferencePool): Pod[] {
    return this.#find(pool, routerName(pool.metadata.name), 'byRouterPool');
  }

  /** The pods of its Redis, verified in the same way. */
  cacheOf(pool: InferencePool): Pod[] {
    return this.#find(pool, redisName(pool.metadata.name), 'byCachePool');
  }

  #find(pool: InferencePool, workload: string, index: 'byRouterPool' | 'byCachePool'): Pod[] {
    const { namespace = '', uid } = pool.metadata;
    const { deployments, pods } = this.#state;
    const deployment = deployments.store.get({ namespace, name: workload });
    const owned = deployment && controllerOf(deployment)?.uid === uid ? deployment.metadata.uid : undefined;
    return pods.store
      .byIndex(index, keyOf(pool))
      .filter((pod) => this.#found.has(pod.metadata.uid) || this.#isOf(pod, owned));
  }

  #isOf(pod: Pod, deploymentUid: string | undefined): boolean {
    const { namespace = '', uid } = pod.metadata;
    const owner = controllerOf(pod);
    if (uid === undefined || deploymentUid === undefined || owner?.kind !== 'ReplicaSet') return false;
    const set = this.#state.replicaSets.store.get({ namespace, name: owner.name });
    if (set?.metadata.uid !== owner.uid || controllerOf(set)?.uid !== deploymentUid) return false;
    this.#found.set(uid, true);
    return true;
  }
}
