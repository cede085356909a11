/** Which models have to sleep for which waiting model, and which of them did not. Times are in monotonic milliseconds. */
import type { KubeObject } from '../../kube/object.ts';
import { PerObject } from '../../kube/per-object.ts';
import type { Watchable } from '../../kube/store.ts';

/** Beyond its time to drain: for the route table to change, and for the API server to take the write. */
const GRACE_MS = 60_000;

/** For how long one that did not go is not chosen again. */
const LEFT_ALONE_MS = 600_000;

interface Eviction {
  /** UID of the waiting model. */
  waiter: string;
  until: number;
}

export class Evictions {
  readonly #current: PerObject<Eviction>;
  /** Until when those are left alone that did not go. */
  readonly #stayed: PerObject<number>;

  constructor(models: Watchable<KubeObject>) {
    this.#current = new PerObject(models);
    this.#stayed = new PerObject(models);
  }

  /** UID of the waiting model for which this model has to sleep. */
  waiterOf(uid: string): string | undefined {
    return this.#current.get(uid)?.waiter;
  }

  /**
   * Whether the model is about to make room. One that has had its time and did not is left alone for a while: whatever
   * keeps it, others can make room instead.
   */
  isLeaving(uid: string, now: number): boolean {
    const current = this.#current.get(uid);
    if (!current || now < current.until) return current !== undefined;
    this.#current.delete(uid);
    this.#stayed.set(uid, now + LEFT_ALONE_MS);
    return false;
  }

  /** Whether the model may be chosen to make room. */
  mayBeChosen(uid: string, now: number): boolean {
    return now >= (this.#stayed.get(uid) ?? 0);
  }

  /** Sets for whom the model has to sleep; undefined for nobody. It has `drainMs` to finish its requests. */
  set(uid: string, waiter: string | undefined, now: number, drainMs: number): void {
    const until = this.#current.get(uid)?.until ?? now + drainMs + GRACE_MS;
    this.#current.set(uid, waiter === undefined ? undefined : { waiter, until });
  }
}
