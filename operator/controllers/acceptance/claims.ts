/** What each model asks of its pool and whether its spec could run there, looked at once: resolving an engine takes longer than a verdict. */
import type { InferenceModel, InferencePool } from '../../api/types.ts';
import type { Clock } from '../../kube/clock.ts';
import type { Watchable } from '../../kube/store.ts';
import { claimOf, type Grant, isRunnable } from './claim.ts';

const NOTHING: Grant = { names: [], replicas: 0 };

interface Known {
  version: string;
  claim: Grant;
  isRunnable?: boolean;
}

export class Claims {
  readonly #clock: Clock;
  /** By UID of the model. */
  readonly #known = new Map<string, Known>();

  constructor(models: Watchable<InferenceModel>, clock: Clock) {
    this.#clock = clock;
    models.subscribe(({ old, new: now }) => {
      if (old && !now) this.#known.delete(old.metadata.uid ?? '');
    });
  }

  of(pool: InferencePool, model: InferenceModel): Grant {
    return this.#look(pool, model).claim;
  }

  isRunnable(pool: InferencePool, model: InferenceModel): boolean {
    const known = this.#look(pool, model);
    known.isRunnable ??= attempt(() => isRunnable(pool, model, this.#clock.now())) ?? false;
    return known.isRunnable;
  }

  #look(pool: InferencePool, model: InferenceModel): Known {
    const { uid = '', generation } = model.metadata;
    const version = `${generation} ${pool.metadata.uid} ${pool.metadata.generation}`;
    const known = this.#known.get(uid);
    if (known?.version === version) return known;
    const claim = attempt(() => claimOf(pool, model));
    const found: Known = claim ? { version, claim } : { version, claim: NOTHING, isRunnable: false };
    this.#known.set(uid, found);
    return found;
  }
}

/**
 * Undefined for an error that nobody expected: one such model is given nothing, and keeps what it has. It must not keep its
 * pool from judging the others, and its own reconcile meets the error again, which logs it.
 */
function attempt<T>(make: () => T): T | undefined {
  try {
    return make();
  } catch {
    return undefined;
  }
}
