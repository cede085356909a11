/** Finds the highest rate that meets the objectives: brackets it, bisects, and then measures both sides of the edge again. */

/** The rates that may be measured: `least` and its multiples by `1 + step`, up to `most`. Requests a second. */
export interface RateGrid {
  least: number;
  most: number;
  /** Distance of two rates as a share of the lower one, such as 0.05. */
  step: number;
}

export interface RateSearch {
  grid: RateGrid;
  /** The rate that is measured first. */
  start: number;
  /** Most calls of `measure`. */
  budget: number;
  /**
   * Measures a rate once more, and returns whether all measurements of it so far taken together meet the objectives.
   * @throws whatever ends the search.
   */
  measure: (rate: number) => Promise<boolean>;
}

export interface MostRate {
  /** The highest rate that met the objectives. Absent if not even the lowest one did. */
  rate?: number;
  /** The lowest rate above it that did not. Absent if the highest rate of the grid met them. */
  missed?: number;
  /** Whether both are next to each other and were measured twice. Otherwise the budget ran out. */
  settled: boolean;
}

/** Rates on the grid are compared by their index, so that the same rates come again when a search is repeated. */
export function rateAt({ least, step }: RateGrid, index: number): number {
  return Number((least * (1 + step) ** index).toPrecision(4));
}

function lastIndex({ least, most, step }: RateGrid): number {
  return Math.max(0, Math.floor(Math.log(most / least) / Math.log(1 + step) + 1e-9));
}

function nearestIndex(grid: RateGrid, rate: number): number {
  const index = Math.round(Math.log(rate / grid.least) / Math.log(1 + grid.step));
  return Math.min(lastIndex(grid), Math.max(0, index));
}

/** How often a rate is measured before its verdict is believed. */
const ENOUGH = 2;

interface Verdict {
  meets: boolean;
  times: number;
}

/**
 * Latency under load is noisy, so a verdict may be wrong and need not be monotone in the rate. The edge between the highest
 * rate that passes and the lowest one above it that fails therefore counts only after a second measurement of both; if one of
 * them changes its verdict, the search goes on from there. The result depends on the verdicts only.
 */
export async function findMostRate(search: RateSearch): Promise<MostRate> {
  const { grid, budget, measure } = search;
  const last = lastIndex(grid);
  const verdicts = new Map<number, Verdict>();
  const edge = new Edge(verdicts, last, nearestIndex(grid, search.start), doubling(grid));
  for (let calls = 0; calls < budget; calls++) {
    const next = edge.next();
    if (next === undefined) return found(grid, edge, true);
    const meets = await measure(rateAt(grid, next));
    verdicts.set(next, { meets, times: (verdicts.get(next)?.times ?? 0) + 1 });
    edge.moved(next, meets);
  }
  return found(grid, edge, edge.next() === undefined);
}

function found(grid: RateGrid, { passed, failed }: Edge, settled: boolean): MostRate {
  return {
    ...(passed !== undefined && { rate: rateAt(grid, passed) }),
    ...(failed !== undefined && { missed: rateAt(grid, failed) }),
    settled,
  };
}

function doubling({ step }: RateGrid): number {
  return Math.max(1, Math.round(Math.log(2) / Math.log(1 + step)));
}

/** The two neighbours between which the edge lies. */
class Edge {
  passed: number | undefined;
  failed: number | undefined;
  readonly #verdicts: ReadonlyMap<number, Verdict>;
  readonly #last: number;
  readonly #start: number;
  /** Steps of the grid that double the rate, while one side of the edge is unknown. */
  readonly #stride: number;

  constructor(verdicts: ReadonlyMap<number, Verdict>, last: number, start: number, stride: number) {
    this.#verdicts = verdicts;
    this.#last = last;
    this.#start = start;
    this.#stride = stride;
  }

  /** The index to measure next; undefined once the edge is certain. */
  next(): number | undefined {
    const { passed = -1, failed = this.#last + 1 } = this;
    if (failed - passed > 1) {
      if (this.passed === undefined && this.failed === undefined) return this.#start;
      if (this.failed === undefined) return Math.min(this.#last, passed + this.#stride);
      if (this.passed === undefined) return Math.max(0, failed - this.#stride);
      return Math.floor((passed + failed) / 2);
    }
    return [this.passed, this.failed].find((index) => index !== undefined && this.#times(index) < ENOUGH);
  }

  moved(index: number, meets: boolean): void {
    const known = [...this.#verdicts].sort(([a], [b]) => a - b);
    if (meets) {
      this.passed = index;
      this.failed = known.find(([at, verdict]) => at > index && !verdict.meets)?.[0];
    } else {
      this.failed = index;
      this.passed = known.findLast(([at, verdict]) => at < index && verdict.meets)?.[0];
    }
  }

  #times(index: number): number {
    return this.#verdicts.get(index)?.times ?? 0;
  }
}
