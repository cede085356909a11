/** Reserves names and keys of a deleted holder for a short time, because an object may be deleted only to be created again. */
import type { Clock } from '../../kube/clock.ts';

/**
 * Longer than the gap in `kubectl replace --force` or in a pipeline that deletes and applies, but short for those who
 * wait for the name. A new leader starts over, because it does not know when the holder was deleted.
 */
export const RESERVATION_MS = 15_000;

export class Reservations {
  readonly #clock: Clock;
  /** By holder, in monotonic milliseconds. */
  readonly #goneSince = new Map<string, number>();
  /** Holders whose reservation has expired. */
  readonly #over = new Set<string>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether the reservation of a deleted holder is still in force. The first call starts it. */
  isReserved(holder: string): boolean {
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

  /** Removes all holders that `isGone` does not confirm. */
  retain(isGone: (holder: string) => boolean): void {
    for (const holder of this.#goneSince.keys()) if (!isGone(holder)) this.#goneSince.delete(holder);
    for (const holder of this.#over) if (!isGone(holder)) this.#over.delete(holder);
  }

  /** Milliseconds until the next reservation expires; undefined if there is none. */
  get endsInMs(): number | undefined {
    // A Map keeps insertion order, so the first entry is the oldest.
    const [first] = this.#goneSince.values();
    return first === undefined ? undefined : Math.max(0, first + RESERVATION_MS - this.#clock.monotonic());
  }
}
