/** What the specs of pools and models come to, worked out once for each of their generations. */
import type { InferenceModel, InferencePool } from '../../api/types.ts';
import { Derived } from '../../kube/derived.ts';
import type { Watchable } from '../../kube/store.ts';
import { resolveModel } from '../../model/resolve-model.ts';
import { resolvePool } from '../../model/resolve-pool.ts';
import type { Resolution, ResolvedPool } from '../../model/resolved-model.ts';

export interface ResolutionsOptions {
  pools: { store: Watchable<InferencePool> };
  models: { store: Watchable<InferenceModel> };
}

export class Resolutions {
  readonly #pools: Derived<ResolvedPool>;
  readonly #models: Derived<Resolution>;

  constructor({ pools, models }: ResolutionsOptions) {
    this.#pools = new Derived(pools.store);
    this.#models = new Derived(models.store);
  }

  /** Throws InvalidSpecError when no model can run in the pool. */
  pool(pool: InferencePool): ResolvedPool {
    return this.#pools.of(pool, [], () => resolvePool(pool));
  }

  /** A model in its pool. Throws InvalidSpecError when no model can run in the pool. */
  of(pool: InferencePool, model: InferenceModel): Resolution {
    return this.inPool(pool)(model);
  }

  /** As `of`, for many models of one pool. Throws InvalidSpecError at once when no model can run in the pool. */
  inPool(pool: InferencePool): (model: InferenceModel) => Resolution {
    const resolved = this.pool(pool);
    const inputs = [resolved];
    const resolve = (model: InferenceModel) => resolveModel(resolved, model);
    return (model) => this.#models.of(model, inputs, resolve);
  }

  /**
   * As `inPool`, and undefined for an error that nobody expected: a model that meets a mistake of ours must not hold up the
   * others of its pool, and its own reconcile meets the error again, which logs it.
   */
  findInPool(pool: InferencePool): (model: InferenceModel) => Resolution | undefined {
    const resolve = this.inPool(pool);
    return (model) => {
      try {
        return resolve(model);
      } catch {
        return undefined;
      }
    };
  }
}
