/**
 * Caches the Deployment, pods and health of each model until they change. The budget reads those of a whole pool on
 * each wake.
 */
import type { InferenceModel } from '../../api/types.ts';
import { Derived } from '../../kube/derived.ts';
import { type Key, keyOf, toKey } from '../../kube/key.ts';
import { engineKeyOf } from '../../render/names.ts';
import { byModel, type ClusterState } from '../shared/cluster-state.ts';
import type { Deployment, Pod } from '../shared/workloads.ts';
import { type EngineHealth, engineHealth } from './engine-health.ts';

export interface ModelWorkload {
  deployment: Deployment | undefined;
  pods: readonly Pod[];
  health: EngineHealth;
}

export class ModelWorkloads {
  readonly #state: ClusterState;
  readonly #workloads: Derived<ModelWorkload>;
  /** Keys of the Deployments. Computing them for thousands of models takes longer than looking them up. */
  readonly #keys: Derived<Key>;

  constructor(state: ClusterState) {
    this.#state = state;
    const { models, pods } = state;
    this.#keys = new Derived(models.store);
    this.#workloads = new Derived<ModelWorkload>(models.store).dropOn(pods.store, (pod) =>
      byModel(pod).map((key) => models.store.get(key)?.metadata.uid),
    );
  }

  /** The workload of the model, from the cache. */
  of(model: InferenceModel): ModelWorkload {
    const { deployments, pods } = this.#state;
    const deployment = deployments.store.get(this.#keys.of(model, [], () => toKey(engineKeyOf(model))));
    return this.#workloads.of(model, [deployment], () => {
      const engines = pods.store.byIndex('byModel', keyOf(model));
      return { deployment, pods: engines, health: engineHealth(deployment, engines) };
    });
  }
}
