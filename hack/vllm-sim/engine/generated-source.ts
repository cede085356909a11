import { Random } from './random.ts';
import { TextWriter } from './text-writer.ts';
import { END_OF_TEXT, type SourceToken, type TokenSource } from './token-source.ts';
import { tokenize, tokenText } from './tokenizer.ts';

export interface GeneratedSourceOptions {
  seed: number;
  /** Mean tokens until the end of text; the seed draws half to one and a half of it. */
  meanTokens: number;
  /** No end of text before this many tokens; Infinity for never. */
  minTokens: number;
  stop: readonly string[];
  includeStop: boolean;
  /** The whole answer, instead of generated words. */
  text?: string;
}

/** Tokens of generated words, or of a given text, with stop strings found across token borders. */
export class GeneratedSource implements TokenSource {
  readonly #options: GeneratedSourceOptions;
  readonly #writer: TextWriter;
  readonly #length: number;
  readonly #given: number[] | undefined;
  readonly #holdback: number;
  #count = 0;
  #pending = '';
  #held = '';

  constructor(options: GeneratedSourceOptions) {
    this.#options = options;
    this.#writer = new TextWriter(options.seed);
    const drawn = new Random(options.seed + 1).integer(Math.max(1, Math.round(options.meanTokens)) + 1);
    this.#length = Math.max(Math.round(options.meanTokens / 2) + drawn, options.minTokens, 1);
    this.#given = options.text === undefined ? undefined : tokenize(options.text);
    this.#holdback = Math.max(0, ...options.stop.map((text) => text.length - 1));
  }

  next(): SourceToken {
    const id = this.#nextId();
    this.#count += 1;
    if (id === undefined) {
      return { id: END_OF_TEXT, text: this.rest(), end: { stopReason: null } };
    }
    this.#held += tokenText(id);
    const stop = this.#findStop();
    if (stop !== undefined) {
      const end = stop.at + (this.#options.includeStop ? stop.text.length : 0);
      const text = this.#held.slice(0, end);
      this.#held = '';
      return { id, text, end: { stopReason: stop.text } };
    }
    const cut = Math.max(0, this.#held.length - this.#holdback);
    const text = this.#held.slice(0, cut);
    this.#held = this.#held.slice(cut);
    return { id, text };
  }

  rest(): string {
    const text = this.#held;
    this.#held = '';
    return text;
  }

  #nextId(): number | undefined {
    if (this.#given !== undefined) {
      return this.#count < this.#given.length ? this.#given[this.#count] : undefined;
    }
    if (this.#count >= this.#length) {
      return undefined;
    }
    while (this.#pending.length < 5) {
      this.#pending += this.#writer.word();
    }
    const start = this.#count === 0 ? 1 : 0;
    const [id] = tokenize(this.#pending.slice(start, start + 4));
    this.#pending = this.#pending.slice(start + 4);
    return id;
  }

  #findStop(): { at: number; text: string } | undefined {
    let best: { at: number; text: string } | undefined;
    for (const text of this.#options.stop) {
      const at = text === '' ? -1 : this.#held.indexOf(text);
      if (at >= 0 && (best === undefined || at < best.at)) {
        best = { at, text };
      }
    }
    return best;
  }
}
