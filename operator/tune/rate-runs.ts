/** The runs at each rate of one profile, and the verdict that their median gives. */
import type { StepResult } from '../bench/load-result.ts';

/** The runs at one rate, in the order in which they were made. */
export interface RateRecord {
  rate: number;
  runs: StepResult[];
}

export interface RateRunsOptions {
  /** Runs of an interrupted experiment. They are used in their order before new ones are made. */
  recorded?: readonly RateRecord[];
  /** Runs whose median counts. Fewer are made if the rest cannot change the verdict. */
  runs: number;
  /** Makes one run. */
  run: (rate: number) => Promise<StepResult>;
  /** Called after each new run. */
  onRun: (rates: RateRecord[]) => Promise<void> | void;
}

export class RateRuns {
  readonly #options: RateRunsOptions;
  readonly #byRate = new Map<number, StepResult[]>();
  readonly #recorded: Map<number, StepResult[]>;

  constructor(options: RateRunsOptions) {
    this.#options = options;
    this.#recorded = new Map((options.recorded ?? []).map(({ rate, runs }) => [rate, [...runs]]));
  }

  /** The runs at a rate. */
  at(rate: number): readonly StepResult[] {
    return this.#byRate.get(rate) ?? [];
  }

  /** Runs a rate until the median of these runs is certain, and returns the verdict of all runs at this rate. */
  async measure(rate: number): Promise<boolean> {
    const made = this.#byRate.get(rate) ?? [];
    this.#byRate.set(rate, made);
    const before = made.length;
    while (!isCertain(made.slice(before), this.#options.runs)) {
      const known = this.#recorded.get(rate)?.shift();
      made.push(known ?? (await this.#options.run(rate)));
      if (known === undefined) await this.#options.onRun(this.#records());
    }
    return medianMeets(made);
  }

  #records(): RateRecord[] {
    return [...this.#byRate].map(([rate, runs]) => ({ rate, runs })).sort((a, b) => a.rate - b.rate);
  }
}

/** Whether the remaining runs cannot change the verdict of the median. */
function isCertain(made: readonly StepResult[], runs: number): boolean {
  const met = made.filter(({ meetsObjectives }) => meetsObjectives).length;
  return made.length >= runs || met > runs / 2 || made.length - met >= runs / 2;
}

function medianMeets(runs: readonly StepResult[]): boolean {
  return runs.filter(({ meetsObjectives }) => meetsObjectives).length > runs.length / 2;
}
