/** How long what was held is kept for a holder that is gone: one that is replaced is deleted and made anew. */
import type { Clock } from '../../kube/clock.ts';

/**
 * Longer than `kubectl replace --force`, or a pipeline that deletes and applies, takes in between; short for those who wait
 * for what is free. Counts anew for a new leader, which does not know since when the holder is gone.
 */
export const RESERVATION_MS = 15_000;

export class Reservations {
  readonly #clock: Clock;
  /** Monotonic milliseconds, by holder. */
  readonly #goneSince = new Map<string, number>();
  /** Holders that are gone for longer. */
  readonly #over = new Set<string>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether what the holder had is still kept; asked for the first time, that begins now. */
  isKept(holder: string): boolean {
    if (this.#over.has(holder)) return false;
    const now = this.#clock.monotonic();
    const since = this.#goneSince.get(holder) ?? now;
    if (now - since < RESERVATION_MS) {
      this.#goneSince.set(holder, since);
      return true;
    }
    this.#goneSince.delete(holder);
    this.#over.add(holder);
    return false;
  }

  /** Forgets all holders but those that are still gone. */
  retain(isGone: (holder: string) => boolean): void {
    for (const holder of this.#goneSince.keys()) if (!isGone(holder)) this.#goneSince.delete(holder);
    for (const holder of this.#over) if (!isGone(holder)) this.#over.delete(holder);
  }

  /** Milliseconds until the next reservation is over; undefined when there is none. */
  get endsInMs(): number | undefined {
    // The first that was put in is the oldest.
    const [first] = this.#goneSince.values();
    return first === undefined ? undefined : Math.max(0, first + RESERVATION_MS - this.#clock.monotonic());
  }
}
