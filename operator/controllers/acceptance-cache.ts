/** Verdicts per pool, computed once until something that decides them changes: thousands of models ask after a restart. */
import type { InferenceModel, InferencePool } from '../api/types.ts';
import { resolveAccelerator } from '../engine/accelerators.ts';
import { keyOf } from '../kube/key.ts';
import { acceptModels, type Verdict } from './acceptance.ts';
import { type ClusterState, poolKeyOf } from './cluster-state.ts';

export class AcceptanceCache {
  readonly #state: ClusterState;
  readonly #byPool = new Map<string, Map<string, Verdict>>();

  constructor(state: ClusterState) {
    this.#state = state;
    state.models.store.subscribe(({ old, new: now }) => {
      if (old) this.#byPool.delete(poolKeyOf(old));
      if (now) this.#byPool.delete(poolKeyOf(now));
    });
    state.pools.store.subscribe(({ key }) => void this.#byPool.delete(key));
    state.namespaces.store.subscribe(() => this.#byPool.clear());
  }

  /** What the pool says to the model. Throws what `resolveAccelerator` throws for a pool that is itself wrong. */
  verdict(pool: InferencePool, model: InferenceModel): Verdict {
    const key = keyOf(pool);
    let verdicts = this.#byPool.get(key);
    if (!verdicts) {
      verdicts = acceptModels({
        pool,
        models: this.#state.models.store
          .byIndex('byPool', key)
          .filter((candidate) => candidate.metadata.deletionTimestamp === undefined),
        namespaceLabels: (name) => this.#state.namespaces.store.get(name)?.metadata.labels,
        acceleratorsPerReplica: resolveAccelerator(pool.spec.accelerator).count,
      });
      this.#byPool.set(key, verdicts);
    }
    return verdicts.get(model.metadata.uid ?? '') ?? { accepted: true };
  }
}
