/**
 * A queue of keys with the guarantees of client-go's workqueue: a key is never processed twice at once, and every `add` is
 * followed by a `get` of that key. Several adds before that collapse into one.
 */
import type { Registry } from 'prom-client';
import { backoffDelay } from './backoff.ts';
import { type Clock, systemClock } from './clock.ts';
import { DelayHeap } from './delay-heap.ts';
import type { Key } from './key.ts';
import { ReadyKeys } from './ready-keys.ts';
import { observeQueue, type QueueObserver } from './work-queue-metrics.ts';

/** Priority of keys from the first list, so that live changes overtake them (controller-runtime's handler.LowPriority). */
export const LOW_PRIORITY = -100;

/** Longest timer. Node's own limit is 24 days. */
const MAX_TIMER_MS = 3_600_000;

export interface WorkQueueOptions {
  /** Label of the metrics. */
  name: string;
  /** First retry delay in milliseconds. Default 5. */
  baseDelayMs?: number | undefined;
  /** Longest retry delay in milliseconds. Default 60 s. */
  maxDelayMs?: number | undefined;
  registry?: Registry | undefined;
  clock?: Clock | undefined;
  random?: (() => number) | undefined;
}

export interface AddOptions {
  /** Default 0. A key has the highest priority of its adds. */
  priority?: number | undefined;
}

export class WorkQueue {
  readonly #clock: Clock;
  readonly #backoff: { baseMs: number; capMs: number; random: () => number };
  readonly #ready = new ReadyKeys();
  /** Keys with pending work: those in `ready`, and those that were added again during processing. */
  readonly #dirty = new Map<Key, number>();
  readonly #processing = new Set<Key>();
  readonly #delayed = new DelayHeap();
  readonly #failures = new Map<Key, number>();
  readonly #waiting = new Set<() => void>();
  readonly #observer: QueueObserver;
  #timer: { dueAt: number; cancel: () => void } | undefined;
  #closed = false;

  constructor(options: WorkQueueOptions) {
    this.#clock = options.clock ?? systemClock;
    this.#backoff = {
      baseMs: options.baseDelayMs ?? 5,
      capMs: options.maxDelayMs ?? 60_000,
      random: options.random ?? Math.random,
    };
    this.#observer = observeQueue(options.registry, options.name, this.#clock);
  }

  /** Number of pending keys, including those that are being processed and were added again. */
  get length(): number {
    return this.#dirty.size;
  }

  /** Adds a key for the next free worker. */
  add(key: Key, { priority = 0 }: AddOptions = {}): void {
    if (this.#closed) {
      return;
    }
    const known = this.#dirty.get(key);
    if (known !== undefined && known >= priority) {
      return;
    }
    this.#dirty.set(key, priority);
    if (known === undefined) {
      this.#observer.added(key, priority);
    } else {
      this.#observer.moved(known, priority);
    }
    if (!this.#processing.has(key)) {
      if (known !== undefined) {
        this.#ready.remove(key, known);
      }
      this.#ready.push(key, priority);
      this.#wake();
    }
  }

  /** Adds a key after a delay. The shortest delay wins, and an `add` in between does not cancel it. */
  addAfter(key: Key, delayMs: number, { priority = 0 }: AddOptions = {}): void {
    if (delayMs <= 0) {
      this.add(key, { priority });
    } else if (!this.#closed) {
      this.#delayed.add({ key, dueAt: this.#clock.monotonic() + delayMs, priority });
      this.#arm();
    }
  }

  /** Adds a key for a retry after a failure. Each consecutive failure doubles the delay. Returns the delay in milliseconds. */
  addRateLimited(key: Key, options: AddOptions = {}): number {
    const failures = this.#failures.get(key) ?? 0;
    this.#failures.set(key, failures + 1);
    const delayMs = backoffDelay(failures, this.#backoff);
    this.#observer.retried();
    this.addAfter(key, delayMs, options);
    return delayMs;
  }

  /** Resets the failures of a key. */
  forget(key: Key): void {
    this.#failures.delete(key);
  }

  /** Number of consecutive failures of a key. */
  failures(key: Key): number {
    return this.#failures.get(key) ?? 0;
  }

  /** The next key, as soon as there is one; undefined if the queue is closed. Call `done` after processing. */
  async get(): Promise<Key | undefined> {
    while (!this.#closed) {
      const next = this.#ready.shift();
      if (next !== undefined) {
        this.#dirty.delete(next.key);
        this.#processing.add(next.key);
        this.#observer.started(next.key, next.priority);
        return next.key;
      }
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
    return undefined;
  }

  /** Marks a key as processed. If it was added in the meantime, it is due again. */
  done(key: Key): void {
    if (!this.#processing.delete(key)) {
      return;
    }
    this.#observer.finished(key);
    const priority = this.#dirty.get(key);
    if (priority !== undefined && !this.#closed) {
      this.#ready.push(key, priority);
      this.#wake();
    }
  }

  /** Ends all `get` calls. Pending keys are dropped, because the next start lists everything anyway. */
  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#delayed.clear();
    this.#observer.close();
    for (const resolve of this.#waiting) {
      resolve();
    }
    this.#waiting.clear();
  }

  #wake(): void {
    for (const resolve of this.#waiting) {
      this.#waiting.delete(resolve);
      resolve();
      return;
    }
  }

  /** Sets one timer for the earliest delayed key. */
  #arm(): void {
    const dueAt = this.#delayed.nextDueAt();
    if (dueAt === undefined || (this.#timer !== undefined && this.#timer.dueAt <= dueAt)) {
      return;
    }
    this.#timer?.cancel();
    const waitMs = Math.min(MAX_TIMER_MS, Math.max(0, Math.ceil(dueAt - this.#clock.monotonic())));
    this.#timer = { dueAt, cancel: this.#clock.setTimeout(() => this.#release(), waitMs) };
  }

  #release(): void {
    this.#timer = undefined;
    const now = this.#clock.monotonic();
    for (let due = this.#delayed.popDue(now); due !== undefined; due = this.#delayed.popDue(now)) {
      this.add(due.key, { priority: due.priority });
    }
    this.#arm();
  }
}
