/** A clock that tests move. */
import type { Clock } from '../../../../operator/kube/clock.ts';

interface Timer {
  at: number;
  order: number;
  callback: () => void;
}

export class FakeClock implements Clock {
  readonly #timers = new Set<Timer>();
  readonly #startWall: number;
  #elapsed = 0;
  #order = 0;

  /** `wall` is what `now()` begins with: clocks of two processes need not agree. */
  constructor({ wall = Date.UTC(2026, 0, 1) } = {}) {
    this.#startWall = wall;
  }

  now(): number {
    return this.#startWall + this.#elapsed;
  }

  monotonic(): number {
    return this.#elapsed;
  }

  setTimeout(callback: () => void, ms: number): () => void {
    const timer = { at: this.#elapsed + Math.max(0, ms), order: this.#order++, callback };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** Timers that wait. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Lets time pass; what timers set off runs in between, as far as it needs no I/O. */
  async advance(ms: number): Promise<void> {
    const end = this.#elapsed + ms;
    await settle();
    for (let next = this.#next(end); next !== undefined; next = this.#next(end)) {
      this.#elapsed = Math.max(this.#elapsed, next.at);
      this.#timers.delete(next);
      next.callback();
      await settle();
    }
    this.#elapsed = end;
    await settle();
  }

  /** Lets time pass without anything running: a blocked event loop. */
  block(ms: number): void {
    this.#elapsed += ms;
  }

  #next(end: number): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of this.#timers) {
      if (
        timer.at <= end &&
        (first === undefined || timer.at < first.at || (timer.at === first.at && timer.order < first.order))
      ) {
        first = timer;
      }
    }
    return first;
  }
}

/** Runs all promise reactions that are due, those that they set off included. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** A clock that runs `factor` times as fast as the real one. For code that needs real I/O between its waits. */
export function fastClock(factor: number): Clock {
  const start = Date.now();
  return {
    now: () => start + (Date.now() - start) * factor,
    monotonic: () => performance.now() * factor,
    setTimeout: (callback, ms) => {
      const timer = setTimeout(callback, ms / factor);
      return () => clearTimeout(timer);
    },
  };
}

/** A clock on which no time passes but what code waits for, one wait after the other: each ends at once, however busy the machine is. */
export function waitedClock(): Clock {
  const start = Date.now();
  let waitedMs = 0;
  return {
    now: () => start + waitedMs,
    monotonic: () => waitedMs,
    setTimeout: (callback, ms) => {
      const timer = setImmediate(() => {
        waitedMs += ms;
        callback();
      });
      return () => clearImmediate(timer);
    },
  };
}

/** A timeout that does not pass on a busy machine, even on a clock that is 1,000 times as fast. */
export const NEVER_MS = 1e8;
