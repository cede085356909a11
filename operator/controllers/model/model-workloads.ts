/** Deployment and pods of each model, looked at once until they change: the budget asks for those of a whole pool at each wake. */
import type { InferenceModel } from '../../api/types.ts';
import { type Key, keyOf, toKey } from '../../kube/key.ts';
import { engineName } from '../../render/names.ts';
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
  readonly #kept = new Map<Key, ModelWorkload & { deploymentKey: Key }>();

  constructor(state: ClusterState) {
    this.#state = state;
    state.pods.store.subscribe(({ old, new: now }) => {
      for (const pod of [old, now]) if (pod) for (const key of byModel(pod)) this.#kept.delete(key);
    });
    state.models.store.subscribe(({ key, new: now }) => {
      if (!now) this.#kept.delete(key);
    });
  }

  /** As the local copies have them. */
  of(model: InferenceModel): ModelWorkload {
    const { deployments, pods } = this.#state;
    const key = keyOf(model);
    const kept = this.#kept.get(key);
    if (kept && kept.deployment === deployments.store.get(kept.deploymentKey)) return kept;
    const { namespace = '', name } = model.metadata;
    const deploymentKey = toKey({ namespace, name: engineName(name) });
    const deployment = deployments.store.get(deploymentKey);
    const engines = pods.store.byIndex('byModel', key);
    const found = { deploymentKey, deployment, pods: engines, health: engineHealth(deployment, engines) };
    this.#kept.set(key, found);
    return found;
  }
}
