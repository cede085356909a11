/** Shows how a load proceeds: one line that is written again and again on a terminal, else a line now and then. */
import type { LoadProgress } from '../bench/load-progress.ts';
import { progressText } from './bench-text.ts';

const BAR_WIDTH = 20;

/** Reports between two lines where there is no terminal. */
const REPORTS_PER_LINE = 10;

export class ProgressOutput {
  readonly #write: (text: string) => void;
  readonly #isTerminal: boolean;
  #reports = 0;
  #open = false;

  constructor(write: (text: string) => void, isTerminal: boolean) {
    this.#write = write;
    this.#isTerminal = isTerminal;
  }

  show(progress: LoadProgress): void {
    if (this.#isTerminal) {
      this.#write(`\r\u001b[K${progressText(progress, BAR_WIDTH)}`);
      this.#open = true;
    } else if (this.#reports++ % REPORTS_PER_LINE === 0) {
      this.#write(`${progressText(progress)}\n`);
    }
  }

  /** Writes a line of its own. */
  line(text: string): void {
    this.end();
    this.#write(`${text}\n`);
  }

  /** Leaves the last report as it is. */
  end(): void {
    if (this.#open) this.#write('\n');
    this.#open = false;
  }
}
