/**
 * One engine core: continuous batching over a paged KV cache. Each step gives every running sequence a token and
 * spends what is left of the token budget on prefill; its duration follows from what it computed.
 */
import type { SimClock } from '../clock.ts';
import type { EngineSeries } from '../metrics/engine-metrics.ts';
import type { SimSettings } from '../settings.ts';
import { BlockPool } from './block-pool.ts';
import { createSequence, type FinishReason, type Sequence, type SequenceRequest } from './sequence.ts';
import { stepMs } from './step-duration.ts';

type EngineSettings = Pick<
  SimSettings,
  | 'maxNumSeqs'
  | 'maxNumBatchedTokens'
  | 'blockSize'
  | 'numBlocks'
  | 'prefixCaching'
  | 'priorityScheduling'
  | 'timing'
  | 'lora'
>;

interface Scheduled {
  sequence: Sequence;
  tokens: number;
}

/** Real milliseconds of steps after which the event loop gets its turn. */
const TICK_BUDGET_MS = 8;
/** Lag beyond this is dropped instead of caught up, for example after the process was suspended. */
const MAX_LAG_MS = 100;

export class Engine {
  readonly pool: BlockPool;
  /** Multiplies every step's time; a failure switch. */
  slowFactor = 1;
  #running: Sequence[] = [];
  #waiting: Sequence[] = [];
  #batch: Scheduled[] = [];
  #cancelTimer: (() => void) | undefined;
  #dueAt = 0;
  #paused = false;
  #preemptions = 0;
  readonly #idleWaiters: (() => void)[] = [];
  readonly #settings: EngineSettings;
  readonly #clock: SimClock;
  readonly #metrics: EngineSeries;

  constructor(settings: EngineSettings, clock: SimClock, metrics: EngineSeries) {
    this.#settings = settings;
    this.#clock = clock;
    this.#metrics = metrics;
    this.pool = new BlockPool(settings.numBlocks);
  }

  get runningCount(): number {
    return this.#running.length;
  }

  get waitingCount(): number {
    return this.#waiting.length;
  }

  get preemptions(): number {
    return this.#preemptions;
  }

  /** Adapters in use: [running, waiting]. */
  adapters(): [string[], string[]] {
    const names = (list: Sequence[]): string[] =>
      [...new Set(list.map((s) => s.request.adapter ?? ''))].filter(Boolean);
    return [names(this.#running), names(this.#waiting)];
  }

  submit(request: SequenceRequest): Sequence {
    const sequence = createSequence(request, this.#clock.now());
    const at = this.#settings.priorityScheduling
      ? this.#waiting.findIndex((other) => other.request.priority > request.priority)
      : -1;
    this.#waiting.splice(at < 0 ? this.#waiting.length : at, 0, sequence);
    this.#pump();
    return sequence;
  }

  /** Ends a sequence, if it has not ended; its blocks are free at once. */
  abort(sequence: Sequence, reason: FinishReason = 'abort'): void {
    if (sequence.ended) {
      return;
    }
    this.#end(sequence, reason, null);
    this.#sweep();
    this.#pump();
  }

  abortAll(reason: FinishReason = 'abort'): void {
    for (const sequence of [...this.#running, ...this.#waiting]) {
      this.#end(sequence, reason, null);
    }
    this.#sweep();
  }

  /** Stops computing: asleep, paused or hung. What waits goes on waiting. */
  pause(): void {
    this.#paused = true;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }

  resume(): void {
    this.#paused = false;
    if (this.#batch.length > 0) {
      this.#arm();
    }
    this.#pump();
  }

  /** Brings the gauges up to date; called when metrics are read. */
  report(): void {
    const waiting = this.#waiting.length;
    const full = this.#running.length >= this.#settings.maxNumSeqs;
    const deferred = full ? 0 : this.#waiting.filter((s) => s.request.adapter !== undefined).length;
    this.#metrics.load({
      running: this.#running.length,
      capacity: waiting - deferred,
      deferred,
      usage: this.pool.usage,
    });
  }

  /** Resolves once nothing runs or waits. */
  whenIdle(): Promise<void> {
    return new Promise((resolve) => {
      this.#idleWaiters.push(resolve);
      this.#checkIdle();
    });
  }

  #pump(): void {
    if (this.#paused || this.#batch.length > 0) {
      return;
    }
    this.#dueAt = this.#clock.now();
    if (this.#begin()) {
      this.#arm();
    }
  }

  #arm(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = this.#clock.after(this.#dueAt - this.#clock.now(), () => this.#tick());
  }

  #tick(): void {
    this.#cancelTimer = undefined;
    const started = this.#clock.now();
    this.#dueAt = Math.max(this.#dueAt, started - MAX_LAG_MS);
    let more = true;
    do {
      this.#finish();
      more = !this.#paused && this.#begin();
    } while (more && this.#dueAt <= this.#clock.now() && this.#clock.now() - started < TICK_BUDGET_MS);
    this.#checkIdle();
    if (more) {
      this.#arm();
    }
  }

  /** Schedules a step; false when there is nothing to do. */
  #begin(): boolean {
    let budget = this.#settings.maxNumBatchedTokens;
    let preempted = false;
    const batch: Scheduled[] = [];
    for (const sequence of [...this.#running]) {
      const tokens = Math.min(sequence.known - sequence.computed, budget);
      // A sequence preempted earlier in this loop has no blocks.
      if (tokens <= 0 || sequence.hold === undefined) {
        continue;
      }
      while (sequence.hold !== undefined && !this.#reserve(sequence, tokens)) {
        preempted = true;
        this.#preempt(batch);
      }
      if (sequence.hold !== undefined) {
        batch.push({ sequence, tokens });
        budget -= tokens;
      }
    }
    if (!preempted) {
      this.#admit(batch, budget);
    }
    this.#batch = batch;
    if (batch.length === 0) {
      this.#clock.after(0, () => this.#failStuck());
      return false;
    }
    this.#dueAt += this.#duration(batch);
    return true;
  }

  #reserve(sequence: Sequence, tokens: number): boolean {
    const hold = sequence.hold;
    const needed = Math.ceil((sequence.computed + tokens) / this.#settings.blockSize);
    const missing = needed - (hold === undefined ? 0 : hold.shared.length + hold.own);
    return hold !== undefined && (missing <= 0 || this.pool.grow(hold, missing));
  }

  /** Takes the blocks of the sequence that came last and puts it back at the head of the queue. */
  #preempt(batch: Scheduled[]): void {
    const victim = this.#running.pop();
    if (victim?.hold === undefined) {
      return;
    }
    const at = batch.findIndex(({ sequence }) => sequence === victim);
    if (at >= 0) {
      batch.splice(at, 1);
    }
    this.pool.release(victim.hold);
    victim.hold = undefined;
    victim.computed = 0;
    victim.published = 0;
    this.#waiting.unshift(victim);
    this.#preemptions += 1;
    this.#metrics.count('num_preemptions_total', 1);
  }

  #admit(batch: Scheduled[], tokenBudget: number): void {
    let budget = tokenBudget;
    if (this.#waiting.length === 0 || this.#running.length >= this.#settings.maxNumSeqs) {
      return;
    }
    const adapters = new Set(
      this.#running.map((s) => s.request.adapter).filter((name) => name !== undefined),
    );
    for (const sequence of [...this.#waiting]) {
      if (this.#running.length >= this.#settings.maxNumSeqs || budget <= 0) {
        return;
      }
      const adapter = sequence.request.adapter;
      if (adapter !== undefined && !adapters.has(adapter) && adapters.size >= this.#settings.lora.maxLoras) {
        continue;
      }
      const tokens = this.#start(sequence, budget);
      if (tokens === 0) {
        return;
      }
      if (adapter !== undefined) {
        adapters.add(adapter);
      }
      this.#waiting.splice(this.#waiting.indexOf(sequence), 1);
      this.#running.push(sequence);
      batch.push({ sequence, tokens });
      budget -= tokens;
    }
  }

  /** Gives a waiting sequence its blocks; returns the tokens of its first step, 0 when blocks are short. */
  #start(sequence: Sequence, budget: number): number {
    const { blockSize, prefixCaching } = this.#settings;
    // The last token is always computed, because its output is what is wanted (kv_cache_manager.get_computed_blocks).
    const usable = Math.floor((sequence.known - 1) / blockSize);
    const cachedBlocks = prefixCaching ? this.pool.match(sequence.blocks.slice(0, usable)) : 0;
    const fresh = Math.ceil(sequence.known / blockSize) - cachedBlocks;
    const hold = this.pool.take(sequence.blocks.slice(0, cachedBlocks), fresh);
    if (hold === undefined) {
      return 0;
    }
    sequence.hold = hold;
    sequence.computed = cachedBlocks * blockSize;
    sequence.published = cachedBlocks;
    if (sequence.cached < 0) {
      sequence.cached = Math.min(sequence.computed, sequence.request.prompt.length);
      sequence.scheduledAt = this.#clock.now();
      if (prefixCaching) {
        this.#metrics.count('prefix_cache_queries_total', sequence.request.prompt.length);
        this.#metrics.count('prefix_cache_hits_total', sequence.cached);
      }
    }
    return Math.min(sequence.known - sequence.computed, budget);
  }

  #duration(batch: readonly Scheduled[]): number {
    const { timing, maxNumSeqs } = this.#settings;
    const prefillTokens = batch.reduce(
      (sum, { tokens, sequence }) => sum + (isPrefill(sequence) ? tokens : 0),
      0,
    );
    this.#metrics.observe('iteration_tokens_total', prefillTokens + batch.length);
    const work = { sequences: batch.length, prefillTokens };
    return stepMs(timing, maxNumSeqs, work) * timing.scale * this.slowFactor;
  }

  #finish(): void {
    const now = this.#clock.now();
    for (const { sequence, tokens } of this.#batch) {
      if (!sequence.ended && sequence.hold !== undefined) {
        sequence.computed += tokens;
        this.#publish(sequence);
        if (sequence.computed >= sequence.known) {
          this.#produce(sequence, now);
        }
      }
    }
    this.#batch = [];
    this.#sweep();
  }

  #publish(sequence: Sequence): void {
    const full = Math.floor(sequence.computed / this.#settings.blockSize);
    for (; this.#settings.prefixCaching && sequence.published < full; sequence.published += 1) {
      const hash = sequence.blocks[sequence.published];
      if (hash !== undefined && sequence.hold !== undefined) {
        this.pool.publish(sequence.hold, hash);
      }
    }
  }

  #produce(sequence: Sequence, now: number): void {
    const { request } = sequence;
    if (sequence.firstTokenAt === 0) {
      sequence.firstTokenAt = now;
      this.#metrics.prompt(request.prompt.length, Math.max(0, sequence.cached));
      if (request.source !== undefined) {
        this.#metrics.observe('time_to_first_token_seconds', (now - sequence.arrival) / 1000);
      }
    } else {
      this.#metrics.observe('inter_token_latency_seconds', (now - sequence.lastTokenAt) / 1000);
    }
    sequence.lastTokenAt = now;
    if (request.source === undefined) {
      this.#end(sequence, 'stop', null);
      return;
    }
    const token = request.source.next();
    sequence.outputs += 1;
    sequence.known += 1;
    sequence.chain.add(token.id);
    if (sequence.known % this.#settings.blockSize === 0) {
      sequence.blocks.push(sequence.chain.value);
    }
    this.#metrics.count('generation_tokens_total', 1);
    if (token.end !== undefined) {
      this.#end(sequence, 'stop', token.end.stopReason, token);
    } else if (sequence.outputs >= request.maxTokens) {
      this.#end(sequence, 'length', null, { id: token.id, text: token.text + request.source.rest() });
    } else {
      request.emit({ id: token.id, text: token.text });
    }
  }

  #end(
    sequence: Sequence,
    reason: FinishReason,
    stopReason: string | null,
    last: { id?: number; text: string } = { text: '' },
  ): void {
    if (sequence.ended) {
      return;
    }
    sequence.ended = true;
    if (sequence.hold !== undefined) {
      this.pool.release(sequence.hold);
      sequence.hold = undefined;
    }
    const now = this.#clock.now();
    const started = sequence.cached < 0 ? now : sequence.scheduledAt;
    const first = sequence.firstTokenAt === 0 ? now : sequence.firstTokenAt;
    const cachedTokens = Math.max(0, sequence.cached);
    this.#metrics.finished({
      reason,
      promptTokens: sequence.request.prompt.length,
      cachedTokens,
      outputTokens: sequence.outputs,
      maxTokens: sequence.request.maxTokens,
      n: sequence.request.n,
      endToEnd: (now - sequence.arrival) / 1000,
      queued: (started - sequence.arrival) / 1000,
      inference: (now - started) / 1000,
      prefill: (first - started) / 1000,
      decode: (now - first) / 1000,
    });
    const end = { reason, stopReason, outputTokens: sequence.outputs, cachedTokens };
    sequence.request.emit({ ...(last.id === undefined ? {} : { id: last.id }), text: last.text, end });
  }

  #sweep(): void {
    if (this.#running.some((s) => s.ended)) {
      this.#running = this.#running.filter((s) => !s.ended);
    }
    if (this.#waiting.some((s) => s.ended)) {
      this.#waiting = this.#waiting.filter((s) => !s.ended);
    }
    this.#checkIdle();
  }

  /** A sequence that has the cache to itself and still does not fit can never run. */
  #failStuck(): void {
    const idle = this.#running.length === 0 && this.#batch.length === 0 && !this.#paused;
    const stuck = idle ? this.#waiting[0] : undefined;
    if (stuck !== undefined) {
      this.#end(stuck, 'error', null);
      this.#sweep();
      this.#pump();
    }
  }

  #checkIdle(): void {
    if (this.#running.length === 0 && this.#waiting.length === 0) {
      for (const resolve of this.#idleWaiters.splice(0)) {
        resolve();
      }
    }
  }
}

function isPrefill(sequence: Sequence): boolean {
  return sequence.known - sequence.computed > 1 || sequence.outputs === 0;
}
