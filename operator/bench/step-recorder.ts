/** Counts and times of the requests of one step. */
import type { Outcome } from './http-target.ts';
import type { StepResult } from './load-result.ts';
import { QuantileRecorder } from './quantiles.ts';

/** Most kinds of failures that are counted separately, whatever a server sends. */
const MAX_KINDS = 32;

export class StepRecorder {
  readonly rate: number;
  /** Planned time. */
  readonly seconds: number;
  /** Monotonic times of the step. */
  readonly beginMs: number;
  readonly endMs: number;
  #due = 0;
  #sent = 0;
  #firstSentMs = 0;
  #lastSentMs = 0;
  #completed = 0;
  #cacheHits = 0;
  #open = 0;
  #mostOpen = 0;
  #promptTokens = 0;
  #outputTokens = 0;
  /** What was completed in the time of the step, whenever it was due. */
  #servedRequests = 0;
  #servedPromptTokens = 0;
  #servedOutputTokens = 0;
  readonly #errors = new Map<string, number>();
  readonly #latency = new QuantileRecorder();
  readonly #firstToken = new QuantileRecorder();
  readonly #timePerToken = new QuantileRecorder();
  readonly #interToken = new QuantileRecorder();
  readonly #tokensPerSecond = new QuantileRecorder();
  readonly #coldStart = new QuantileRecorder();
  readonly #sendDelay = new QuantileRecorder();

  constructor(rate: number, beginMs: number, seconds: number) {
    this.rate = rate;
    this.seconds = seconds;
    this.beginMs = beginMs;
    this.endMs = beginMs + seconds * 1000;
  }

  /** A request is sent. `open` are all requests of the run that are open, this one included. */
  sent(dueMs: number, nowMs: number, open: number): void {
    this.#due += 1;
    this.#open += 1;
    this.#mostOpen = Math.max(this.#mostOpen, open);
    if (this.#sent++ === 0) this.#firstSentMs = nowMs;
    this.#lastSentMs = nowMs;
    this.#sendDelay.record(nowMs - dueMs);
  }

  /** A request was due and could not be sent. */
  notSent(): void {
    this.#due += 1;
    this.#fail('not-sent');
  }

  gap(ms: number): void {
    this.#interToken.record(ms);
  }

  /** A request of any step was completed. Throughput is what was completed in the time of the step. */
  served({ endMs, usage }: Outcome): void {
    if (endMs < this.beginMs || endMs >= this.endMs) return;
    this.#servedRequests += 1;
    this.#servedPromptTokens += usage?.promptTokens ?? 0;
    this.#servedOutputTokens += usage?.outputTokens ?? 0;
  }

  /** A request of this step has ended. */
  ended(dueMs: number, outcome: Outcome): void {
    this.#open -= 1;
    if (outcome.failure !== undefined) {
      this.#fail(outcome.failure);
      return;
    }
    this.#completed += 1;
    if (outcome.cacheHit) this.#cacheHits += 1;
    const { usage, firstTokenMs: first, lastTokenMs: last, endMs } = outcome;
    this.#promptTokens += usage?.promptTokens ?? 0;
    this.#outputTokens += usage?.outputTokens ?? 0;
    if (outcome.coldStart) {
      this.#coldStart.record(endMs - dueMs);
      return;
    }
    this.#latency.record(endMs - dueMs);
    if (first === undefined || last === undefined) return;
    this.#firstToken.record(first - dueMs);
    const following = (usage?.outputTokens ?? 0) - 1;
    if (following < 1) return;
    this.#timePerToken.record((last - first) / following);
    if (last > first) this.#tokensPerSecond.record((following * 1000) / (last - first));
  }

  #fail(kind: string): void {
    const known = this.#errors.has(kind) || this.#errors.size < MAX_KINDS;
    const name = known ? kind : 'other';
    this.#errors.set(name, (this.#errors.get(name) ?? 0) + 1);
  }

  /** The result after `seconds` of measured time, without the verdict. */
  result(seconds: number): StepResult {
    const failed = [...this.#errors.values()].reduce((sum, count) => sum + count, 0);
    const ended = this.#completed + failed;
    const sentMs = this.#lastSentMs - this.#firstSentMs;
    const perSecond = (amount: number): number => (seconds === 0 ? 0 : amount / seconds);
    const mean = (amount: number): number => (this.#completed === 0 ? 0 : amount / this.#completed);
    return {
      rate: this.rate,
      seconds,
      due: this.#due,
      sent: this.#sent,
      arrivalRate: sentMs === 0 ? perSecond(this.#sent) : ((this.#sent - 1) * 1000) / sentMs,
      completed: this.#completed,
      errors: Object.fromEntries(this.#errors),
      errorRate: ended === 0 ? 0 : failed / ended,
      unfinished: this.#open,
      cacheHits: this.#cacheHits,
      requestsPerSecond: perSecond(this.#servedRequests),
      promptTokensPerSecond: perSecond(this.#servedPromptTokens),
      outputTokensPerSecond: perSecond(this.#servedOutputTokens),
      promptTokens: mean(this.#promptTokens),
      outputTokens: mean(this.#outputTokens),
      mostOpen: this.#mostOpen,
      latencyMs: this.#latency.quantiles(),
      firstTokenMs: this.#firstToken.quantiles(),
      timePerTokenMs: this.#timePerToken.quantiles(),
      interTokenMs: this.#interToken.quantiles(),
      tokensPerSecond: this.#tokensPerSecond.quantiles(),
      coldStartMs: this.#coldStart.quantiles(),
      sendDelayMs: this.#sendDelay.quantiles(),
    };
  }
}
