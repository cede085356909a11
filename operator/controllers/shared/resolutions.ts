/** Caches the resolved specs of pools and models. Each generation is resolved once. */
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

  /** Resolves a pool. Throws InvalidSpecError if no model can run in it. */
  pool(pool: InferencePool): ResolvedPool {
    return this.#pools.of(pool, [], () => resolvePool(pool));
  }

  /** Resolves a model in its pool. Throws InvalidSpecError if no model can run in the pool. */
  of(pool: InferencePool, model: InferenceModel): Resolution {
    return this.inPool(pool)(model);
  }

  /** Like `of`, for many models of one pool. Throws InvalidSpecError at once if no model can run in the pool. */
  inPool(pool: InferencePool): (model: InferenceModel) => Resolution {
    const resolved = this.pool(pool);
    const inputs = [resolved];
    const resolve = (model: InferenceModel) => resolveModel(resolved, model);
    return (model) => this.#models.of(model, inputs, resolve);
  }

  /**
   * Like `inPool`, but returns undefined on an unexpected error. A bug that one model triggers must not block the other
   * models of its pool. The reconcile of that model meets the error again and logs it.
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
