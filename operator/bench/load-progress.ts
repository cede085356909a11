/** What a running load has done so far, for people who watch it. */
import type { Outcome } from './http-target.ts';
import { QuantileRecorder } from './quantiles.ts';

export interface LoadProgress {
  elapsedSeconds: number;
  /** Of all stages, without the wait for the last answers. */
  totalSeconds: number;
  open: number;
  completed: number;
  failed: number;
  /** Of the time since the last report. */
  requestsPerSecond: number;
  latencyP95Ms: number;
}

/** Collects what happens between two reports. */
export class ProgressRecorder {
  readonly #latency = new QuantileRecorder();
  #open = 0;
  #completed = 0;
  #failed = 0;
  #recent = 0;
  #lastMs: number;
  readonly #startMs: number;
  readonly #totalSeconds: number;

  constructor(startMs: number, totalSeconds: number) {
    this.#startMs = this.#lastMs = startMs;
    this.#totalSeconds = totalSeconds;
  }

  /** Requests that are open. */
  get open(): number {
    return this.#open;
  }

  sent(): void {
    this.#open += 1;
  }

  notSent(): void {
    this.#failed += 1;
  }

  ended(dueMs: number, { failure, endMs }: Outcome): void {
    this.#open -= 1;
    if (failure !== undefined) {
      this.#failed += 1;
      return;
    }
    this.#completed += 1;
    this.#recent += 1;
    this.#latency.record(endMs - dueMs);
  }

  /** A report, after which the next one begins. */
  report(nowMs: number): LoadProgress {
    const seconds = (nowMs - this.#lastMs) / 1000;
    const report = {
      elapsedSeconds: (nowMs - this.#startMs) / 1000,
      totalSeconds: this.#totalSeconds,
      open: this.#open,
      completed: this.#completed,
      failed: this.#failed,
      requestsPerSecond: seconds === 0 ? 0 : this.#recent / seconds,
      latencyP95Ms: this.#latency.percentile(95),
    };
    this.#lastMs = nowMs;
    this.#recent = 0;
    this.#latency.reset();
    return report;
  }
}
