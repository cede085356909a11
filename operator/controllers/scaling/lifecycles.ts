/** The lifecycle of every model. Only the scaling reconciler writes; status, routes and budget read. */
import type { InferenceModel } from '../../api/types.ts';
import { PerObject } from '../../kube/per-object.ts';
import type { Watchable } from '../../kube/store.ts';
import { type Lifecycle, UNKNOWN_LIFECYCLE } from '../../scaling/phase.ts';

/** Read-only view for other controllers. */
export interface LifecyclesView {
  /** The lifecycle of the model with this UID. The same object until it changes. */
  of(uid: string): Lifecycle;
}

export class Lifecycles implements LifecyclesView {
  readonly #lifecycles: PerObject<Lifecycle>;

  constructor(models: Watchable<InferenceModel>) {
    this.#lifecycles = new PerObject(models);
  }

  of(uid: string): Lifecycle {
    return this.#lifecycles.get(uid) ?? UNKNOWN_LIFECYCLE;
  }

  set(uid: string, lifecycle: Lifecycle): void {
    this.#lifecycles.set(uid, lifecycle);
  }
}
