/** Verdicts per pool, computed once until something that decides them changes: thousands of models ask after a restart. */
import type { InferenceModel, InferencePool } from '../api/types.ts';
import { resolveAccelerator } from '../engine/accelerators.ts';
import { keyOf } from '../kube/key.ts';
import { acceptModels, standsAccepted, type Verdict } from './acceptance.ts';
import { type ClusterState, poolKeyOf } from './cluster-state.ts';

const ACCEPTED: Verdict = { accepted: true };

export class AcceptanceCache {
  readonly #state: ClusterState;
  readonly #byPool = new Map<string, Map<string, Verdict>>();

  constructor(state: ClusterState) {
    this.#state = state;
    state.models.store.subscribe(({ old, new: now }) => {
      if (old && now && isSameClaim(old, now)) return;
      if (old) this.#byPool.delete(poolKeyOf(old));
      if (now) this.#byPool.delete(poolKeyOf(now));
    });
    state.pools.store.subscribe(({ key, old, new: now }) => {
      if (!old || !now || old.metadata.generation !== now.metadata.generation) this.#byPool.delete(key);
    });
    state.namespaces.store.subscribe(() => this.#byPool.clear());
  }

  /** What the pool says to the model. Throws what `resolveAccelerator` throws for a pool that is itself wrong. */
  verdict(pool: InferencePool, model: InferenceModel): Verdict {
    return this.verdicts(pool).get(model.metadata.uid ?? '') ?? ACCEPTED;
  }

  /** By UID, for every model of the pool that is not being deleted. Throws the same. */
  verdicts(pool: InferencePool): ReadonlyMap<string, Verdict> {
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
    return verdicts;
  }
}

/** Whether a change of a model leaves what it asks of its pool, and its standing: statuses change far more often. */
function isSameClaim(old: InferenceModel, now: InferenceModel): boolean {
  return (
    old.metadata.generation === now.metadata.generation &&
    old.metadata.deletionTimestamp === now.metadata.deletionTimestamp &&
    standsAccepted(old) === standsAccepted(now)
  );
}
