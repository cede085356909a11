import type { Tensor } from './safetensors.ts';

/** Draws tensors from a seed. Uses whole-number arithmetic and sums only, so that every machine draws the same. */
export class RandomWeights {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** Values around 0 with the given standard deviation. */
  normal(shape: readonly number[], deviation: number): Tensor {
    const values = new Float32Array(shape.reduce((product, size) => product * size, 1));
    for (let i = 0; i < values.length; i += 1) values[i] = this.#normal() * deviation;
    return { shape, values };
  }

  /** Twelve uniform numbers add up to nearly a normal one with a deviation of 1. */
  #normal(): number {
    let sum = -6;
    for (let i = 0; i < 12; i += 1) sum += this.#uniform();
    return sum;
  }

  #uniform(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }
}

/** The same value everywhere. */
export function filled(shape: readonly number[], value: number): Tensor {
  return { shape, values: new Float32Array(shape.reduce((product, size) => product * size, 1)).fill(value) };
}
