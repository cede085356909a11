/** The KV blocks that one request holds. */
export interface BlockHold {
  /** Hashes of shared blocks, in order. */
  shared: number[];
  /** Blocks that nobody else can find. */
  own: number;
}

/**
 * The KV cache's blocks: reference-counted by hash, cached after use until evicted, least recently used first
 * (v1/core/block_pool.py). One block is vLLM's null block and never given out.
 */
export class BlockPool {
  readonly total: number;
  #blank: number;
  readonly #references = new Map<number, number>();
  /** Cached and unused, in order of eviction. */
  readonly #idle = new Set<number>();

  constructor(total: number) {
    this.total = total;
    this.#blank = Math.max(0, total - 1);
  }

  /** Blocks that can be given out, cached ones included. */
  get available(): number {
    return this.#blank + this.#idle.size;
  }

  /** Part of the blocks in use, 0 to 1. */
  get usage(): number {
    const usable = Math.max(1, this.total - 1);
    return 1 - this.available / usable;
  }

  /** How many leading blocks of a prompt are cached. */
  match(hashes: readonly number[]): number {
    const miss = hashes.findIndex((hash) => !this.#references.has(hash) && !this.#idle.has(hash));
    return miss < 0 ? hashes.length : miss;
  }

  /** Takes cached blocks and `fresh` new ones. Takes nothing and returns undefined when there are too few. */
  take(cached: readonly number[], fresh: number): BlockHold | undefined {
    const fromIdle = cached.filter((hash) => this.#idle.has(hash)).length;
    if (this.available - fromIdle < fresh) {
      return undefined;
    }
    for (const hash of cached) {
      this.#idle.delete(hash);
      this.#references.set(hash, (this.#references.get(hash) ?? 0) + 1);
    }
    const hold: BlockHold = { shared: [...cached], own: 0 };
    this.grow(hold, fresh);
    return hold;
  }

  /** Adds fresh blocks to a hold. Takes nothing and returns false when there are too few. */
  grow(hold: BlockHold, count: number): boolean {
    if (this.available < count) {
      return false;
    }
    for (let i = 0; i < count; i += 1) {
      if (this.#blank > 0) {
        this.#blank -= 1;
      } else {
        const [oldest] = this.#idle;
        this.#idle.delete(oldest ?? 0);
      }
    }
    hold.own += count;
    return true;
  }

  /** Makes one of the hold's own blocks findable, once it is full. A block that is cached already stays its own. */
  publish(hold: BlockHold, hash: number): void {
    if (hold.own === 0 || this.#references.has(hash) || this.#idle.has(hash)) {
      return;
    }
    hold.own -= 1;
    hold.shared.push(hash);
    this.#references.set(hash, 1);
  }

  /** Gives everything back; cached blocks stay until evicted, a prefix's last block first. */
  release(hold: BlockHold): void {
    this.#blank += hold.own;
    hold.own = 0;
    for (const hash of hold.shared.reverse()) {
      const left = (this.#references.get(hash) ?? 1) - 1;
      if (left > 0) {
        this.#references.set(hash, left);
      } else {
        this.#references.delete(hash);
        this.#idle.add(hash);
      }
    }
    hold.shared = [];
  }

  /** Drops cached blocks that are not in use. */
  reset(): void {
    this.#blank += this.#idle.size;
    this.#idle.clear();
  }
}
