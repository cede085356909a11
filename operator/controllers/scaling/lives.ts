/** The lifecycle of every model. Only the scaling reconciler writes; status, routes and budget read. */
import type { InferenceModel } from '../../api/types.ts';
import { PerObject } from '../../kube/per-object.ts';
import type { Watchable } from '../../kube/store.ts';
import { type Life, UNKNOWN_LIFE } from '../../scaling/phase.ts';

/** Read-only view for other controllers. */
export interface LivesView {
  /** The lifecycle of the model with this UID. The same object until it changes. */
  of(uid: string): Life;
}

export class Lives implements LivesView {
  readonly #lives: PerObject<Life>;

  constructor(models: Watchable<InferenceModel>) {
    this.#lives = new PerObject(models);
  }

  of(uid: string): Life {
    return this.#lives.get(uid) ?? UNKNOWN_LIFE;
  }

  set(uid: string, life: Life): void {
    this.#lives.set(uid, life);
  }
}
