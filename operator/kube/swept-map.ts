/** A map whose expired entries are removed now and then. */

/** Number of entries up to which none is removed. */
const KEPT = 4_096;

/** Looks for expired entries each time it has doubled, so that an entry takes constant time on average, whatever expires. */
export class SweptMap<V> extends Map<string, V> {
  #sweepAbove = KEPT;

  /** Sets a value. May remove those that have expired. */
  add(key: string, value: V, isExpired: (value: V) => boolean): void {
    this.set(key, value);
    if (this.size <= this.#sweepAbove) return;
    for (const [id, other] of this) if (isExpired(other)) this.delete(id);
    this.#sweepAbove = Math.max(KEPT, 2 * this.size);
  }
}
