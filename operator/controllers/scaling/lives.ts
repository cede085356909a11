/** The life of every model, as the scaling reconciler has left it. It alone writes; status, routes and budget read. */
import type { InferenceModel } from '../../api/types.ts';
import { PerObject } from '../../kube/per-object.ts';
import type { Watchable } from '../../kube/store.ts';
import { type Life, UNKNOWN_LIFE } from '../../scaling/phase.ts';

/** What others may see of the lives of models. */
export interface LivesView {
  /** The life of a model by its UID; the same object until something of it changes. */
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
