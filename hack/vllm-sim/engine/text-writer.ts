import { Random } from './random.ts';

const WORDS =
  `model token batch cache block prompt answer stream engine request router queue layer weight batch
  memory kernel prefix window context decode prefill worker cluster replica schedule latency budget the a of and to
  in is with for on that it as by from at or an be this are which one each more then when most first small large
  fast slow simple clear known given same other`.split(/\s+/);

/** Endless plain sentences from a seed. */
export class TextWriter {
  readonly #random: Random;
  #left = 0;

  constructor(seed: number) {
    this.#random = new Random(seed);
  }

  word(): string {
    const word = WORDS[this.#random.integer(WORDS.length)] ?? 'token';
    if (this.#left > 0) {
      this.#left -= 1;
      return this.#left === 0 ? ` ${word}.` : ` ${word}`;
    }
    this.#left = 4 + this.#random.integer(9);
    return ` ${word[0]?.toUpperCase()}${word.slice(1)}`;
  }
}
