/** Counts the engines of a model in one pool: pods that hold accelerators, or desired replicas, whichever is higher. */
import type { InferencePool } from '../../api/types.ts';
import type { Key } from '../../kube/key.ts';
import type { KubeObject } from '../../kube/object.ts';
import { engineLabels, MODEL_LABEL, POOL_LABEL, POOL_NAMESPACE_LABEL } from '../../render/labels.ts';
import { engineName } from '../../render/names.ts';
import type { ClusterState } from '../shared/cluster-state.ts';
import type { Resolutions } from '../shared/resolutions.ts';
import { holdsAccelerators } from '../shared/workloads.ts';

export class EnginesInPool {
  readonly #state: ClusterState;
  readonly #resolutions: Resolutions;

  constructor(state: ClusterState, resolutions: Resolutions) {
    this.#state = state;
    this.#resolutions = resolutions;
  }

  /** The count from the caches. Anyone can set these labels in the namespace, so callers cap it at the granted replicas. */
  of(pool: InferencePool, modelKey: Key): number {
    const [namespace = '', name = ''] = modelKey.split('/');
    const { resourceName } = this.#resolutions.pool(pool).accelerator;
    const labels = engineLabels({ namespace, name }, pool.metadata);
    const isHere = ({ metadata }: KubeObject) =>
      [POOL_LABEL, POOL_NAMESPACE_LABEL].every((label) => metadata.labels?.[label] === labels[label]);
    const pods = this.#state.pods.store
      .byIndex('byModel', `${namespace}/${labels[MODEL_LABEL]}`)
      .filter((pod) => isHere(pod) && holdsAccelerators(pod, resourceName));
    const deployment = this.#state.deployments.store.get({ namespace, name: engineName(name) });
    const asked = deployment && isHere(deployment) ? (deployment.spec.replicas ?? 1) : 0;
    return Math.max(pods.length, asked);
  }
}
