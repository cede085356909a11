/** Which pods are the routers of a pool, or its Redis. Anybody may write a label, so namespace and owners decide. */
import type { InferencePool } from '../../api/types.ts';
import { keyOf } from '../../kube/key.ts';
import { controllerOf } from '../../kube/owner-reference.ts';
import { PerObject } from '../../kube/per-object.ts';
import { redisName, routerName } from '../../render/names.ts';
import type { ClusterState } from '../shared/cluster-state.ts';
import type { Pod } from '../shared/workloads.ts';

export class RouterPods {
  readonly #state: ClusterState;
  /** Pods that were found to be of a pool. A ReplicaSet may be gone before the last of its pods has ended. */
  readonly #found: PerObject<true>;

  constructor(state: ClusterState) {
    this.#state = state;
    this.#found = new PerObject(state.pods.store);
  }

  /**
   * The pods that Kubernetes made for the pool's own Deployment: by UID from pod to ReplicaSet to Deployment to pool, all
   * in the pool's namespace. Who may write there may also change the Deployment itself.
   */
  of(pool: InferencePool): Pod[] {
    return this.#find(pool, routerName(pool.metadata.name), 'byRouterPool');
  }

  /** The pods of its Redis, found in the same way. */
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
