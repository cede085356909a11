/**
 * The models of a pool in the namespaces that it admits. Any team can name any pool in any number of models. Those cost a
 * pool that does not admit them no work: its own models are found without a look at them.
 */
import type { InferenceModel, InferencePool } from '../../api/types.ts';
import { type Key, keyOf } from '../../kube/key.ts';
import { poolKeyOf } from '../../model/pool-key.ts';
import { admits } from '../shared/admitted-namespaces.ts';
import type { ClusterState } from '../shared/cluster-state.ts';

export class AdmittedModels {
  readonly #state: Pick<ClusterState, 'models' | 'namespaces'>;
  /** By pool: how many models of each namespace name it. */
  readonly #counts = new Map<Key, Map<string, number>>();

  constructor(state: Pick<ClusterState, 'models' | 'namespaces'>) {
    this.#state = state;
    state.models.store.subscribe(({ old, new: now }) => {
      if (now) this.#count(now, 1);
      if (old) this.#count(old, -1);
    });
  }

  /** The models that name the pool and whose namespace it admits, in no particular order. */
  of(pool: InferencePool): InferenceModel[] {
    const key = keyOf(pool);
    return [...(this.#counts.get(key)?.keys() ?? [])]
      .filter((namespace) => admits(this.#state, pool, namespace))
      .flatMap((namespace) => this.in(key, namespace));
  }

  /** The models of a namespace that name the pool, whether or not it admits them. */
  in(poolKey: Key, namespace: string): InferenceModel[] {
    return this.#state.models.store.byIndex('byPoolAndNamespace', `${poolKey}/${namespace}`);
  }

  #count(model: InferenceModel, change: number): void {
    const key = poolKeyOf(model);
    const { namespace = '' } = model.metadata;
    const ofPool = this.#counts.get(key) ?? new Map<string, number>();
    const count = (ofPool.get(namespace) ?? 0) + change;
    if (count > 0) ofPool.set(namespace, count);
    else ofPool.delete(namespace);
    if (ofPool.size > 0) this.#counts.set(key, ofPool);
    else this.#counts.delete(key);
  }
}
