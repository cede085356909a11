/** Prints what the demo does, step by step, with times. */
export class Narrator {
  readonly #write: (line: string) => void;
  readonly #now: () => number;
  #number = 0;

  constructor(write: (line: string) => void, now: () => number) {
    this.#write = write;
    this.#now = now;
  }

  /** Runs one step and prints what it found out, if it returns text. Errors name the step that they ended. */
  async step<T>(title: string, action: () => Promise<T>): Promise<T> {
    this.#number += 1;
    const started = this.#now();
    this.#write(`\n${String(this.#number).padStart(2)}. ${title}`);
    try {
      const result = await action();
      if (typeof result === 'string') this.say(result);
      this.#write(`    done in ${((this.#now() - started) / 1000).toFixed(1)} s`);
      return result;
    } catch (error) {
      throw new Error(`the demo stopped at step ${this.#number} (${title})`, { cause: error });
    }
  }

  /** Prints text below the present step. */
  say(text: string): void {
    for (const line of text.trimEnd().split('\n')) this.#write(`    ${line}`);
  }
}
