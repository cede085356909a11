/** Stops us from undoing the same foreign change for ever when someone else keeps making it (Crossplane's circuit breaker). */
import { TokenBucket } from './token-bucket.ts';

export interface FightOptions {
  /** Corrections of one object in a row before we give in. Default 10. */
  burst?: number;
  /** From then on one correction in this time. Default 10 s. */
  intervalMs?: number;
}

/** A budget of corrections for each object. */
export class FightBreaker {
  readonly #burst: number;
  readonly #intervalMs: number;
  readonly #buckets = new Map<string, TokenBucket>();

  constructor({ burst = 10, intervalMs = 10_000 }: FightOptions = {}) {
    this.#burst = burst;
    this.#intervalMs = intervalMs;
  }

  /** Takes a correction off the budget of an object; false when it is used up. */
  allow(id: string, now: number): boolean {
    const bucket =
      this.#buckets.get(id) ?? new TokenBucket({ capacity: this.#burst, refillMs: this.#intervalMs, now });
    this.#buckets.set(id, bucket);
    return bucket.take(now);
  }

  /** Puts a correction back that changed nothing. */
  refund(id: string): void {
    this.#buckets.get(id)?.refund();
  }

  /** Milliseconds until the next correction of an object. */
  waitMs(id: string, now: number): number {
    return this.#buckets.get(id)?.waitMs(now) ?? 0;
  }

  /** Forgets an object's past. */
  reset(id: string): void {
    this.#buckets.delete(id);
  }
}
