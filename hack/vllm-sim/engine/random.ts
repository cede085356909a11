/** A small seeded generator (sfc-like), so that equal seeds give equal texts. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = (Math.trunc(seed / 2 ** 21) ^ Math.trunc(seed % 2 ** 32)) >>> 0;
  }

  /** 0 up to, not including, `below`. */
  integer(below: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  }
}
