/** Hash over a growing sequence of tokens. At a block boundary it names the block and all before it, as vLLM's prefix cache does. */
export class ChainHash {
  #low = 0x811c9dc5;
  #high = 0x9e3779b9;

  /** Starts from a salt: the cache salt, adapter or seed that keeps equal tokens apart. */
  constructor(salt = '') {
    for (let i = 0; i < salt.length; i += 1) {
      this.add(salt.charCodeAt(i));
    }
  }

  clone(): ChainHash {
    const copy = new ChainHash();
    copy.#low = this.#low;
    copy.#high = this.#high;
    return copy;
  }

  add(token: number): void {
    this.#low = Math.imul(this.#low ^ token, 0x01000193);
    this.#low ^= this.#low >>> 15;
    this.#high = Math.imul(this.#high ^ (token + (this.#low >>> 7)), 0x85ebca6b);
    this.#high ^= this.#high >>> 13;
  }

  /** 53 bits of the hash so far. */
  get value(): number {
    return (this.#low >>> 0) * 2 ** 21 + (this.#high >>> 11);
  }
}

export interface HashedPrompt {
  length: number;
  /** Hash at the end of each full block. */
  blocks: number[];
  /** Hash over all tokens. */
  chain: ChainHash;
}

/** Hashes a prompt block by block. */
export function hashPrompt(tokens: readonly number[], blockSize: number, salt = ''): HashedPrompt {
  const chain = new ChainHash(salt);
  const blocks: number[] = [];
  for (const [i, token] of tokens.entries()) {
    chain.add(token);
    if ((i + 1) % blockSize === 0) {
      blocks.push(chain.value);
    }
  }
  return { length: tokens.length, blocks, chain };
}
