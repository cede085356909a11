/**
 * Limits how often the same foreign change is reverted while another client keeps making it (like Crossplane's circuit
 * breaker).
 */
import { TokenBucket } from './token-bucket.ts';

export interface FightOptions {
  /** Most consecutive corrections of one object. Default 10. */
  burst?: number;
  /** Interval between corrections after that. Default 10 s. */
  intervalMs?: number;
}

/** A budget of corrections per object. */
export class FightBreaker {
  readonly #burst: number;
  readonly #intervalMs: number;
  readonly #buckets = new Map<string, TokenBucket>();

  constructor({ burst = 10, intervalMs = 10_000 }: FightOptions = {}) {
    this.#burst = burst;
    this.#intervalMs = intervalMs;
  }

  /** Takes one correction from the budget of an object. False if the budget is exhausted. */
  allow(id: string, now: number): boolean {
    const bucket =
      this.#buckets.get(id) ?? new TokenBucket({ capacity: this.#burst, refillMs: this.#intervalMs, now });
    this.#buckets.set(id, bucket);
    return bucket.take(now);
  }

  /** Returns a correction that changed nothing. */
  refund(id: string): void {
    this.#buckets.get(id)?.refund();
  }

  /** Milliseconds until the next correction of an object is allowed. */
  waitMs(id: string, now: number): number {
    return this.#buckets.get(id)?.waitMs(now) ?? 0;
  }

  /** Resets the budget of an object. */
  reset(id: string): void {
    this.#buckets.delete(id);
  }
}
