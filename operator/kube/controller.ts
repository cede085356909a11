/** Runs a reconcile function for queued keys, like the Controller of controller-runtime. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Registry } from 'prom-client';
import { aborted, type Deadline, deadline } from './abort.ts';
import { type Clock, systemClock } from './clock.ts';
import { type ControllerObserver, observeController } from './controller-metrics.ts';
import { isKubeError, isNamespaceGone } from './errors.ts';
import { type Key, keyOf } from './key.ts';
import { type Logger, silentLogger } from './logger.ts';
import type { KubeObject } from './object.ts';
import type { Watchable } from './store.ts';
import { type AddOptions, LOW_PRIORITY, WorkQueue } from './work-queue.ts';

/** A reconcile exceeded the time limit of its controller. */
export class ReconcileTimeoutError extends Error {
  override readonly name = 'ReconcileTimeoutError';
  readonly code = 'RECONCILE_TIMEOUT';
}

export interface ReconcileContext {
  /** Aborts on timeout or shutdown. Pass it to everything that waits. */
  signal: AbortSignal;
  log: Logger;
}

export interface ReconcileResult {
  /** Run this key again after this time in any case. */
  requeueAfterMs?: number | undefined;
}

/**
 * Makes the world match the object of this key, which it reads itself; the object may be gone. A rejection is retried
 * with growing delays.
 */
// biome-ignore lint/suspicious/noConfusingVoidType: most reconcile functions return nothing
export type Reconcile = (key: Key, context: ReconcileContext) => Promise<ReconcileResult | void>;

export interface ControllerOptions {
  /** Label of its metrics and log lines. */
  name: string;
  reconcile: Reconcile;
  /** The queue of keys, if it is shared. Default: its own. */
  queue?: WorkQueue;
  /** Keys worked on at once. Default 4. */
  concurrency?: number;
  /** Time limit of a reconcile. Default 60 s. */
  timeoutMs?: number;
  /** How long running reconciles may continue after a stop. Default 20 s. */
  drainMs?: number;
  /** Longest retry delay. Default 60 s. */
  maxRetryDelayMs?: number;
  /** False while the cache does not show the last writes for this key. It is then retried after 100 ms. */
  ready?: (key: Key) => boolean;
  log?: Logger;
  registry?: Registry | undefined;
  clock?: Clock;
  random?: () => number;
}

export interface WatchMapping<T extends KubeObject> {
  /** The keys that an object concerns. Called for the old and the new state. Default: its own key. */
  map?: (object: T) => Iterable<Key>;
  /** False for an update that does not matter. Default: every update matters. */
  changed?: (old: T, now: T) => boolean;
  /** Delays live changes by this time, so that a burst counts as one. Default 0. */
  afterMs?: number;
}

/** cluster-api's delay for a stale cache. */
const STALE_CACHE_RETRY_MS = 100;

export class Controller {
  readonly name: string;
  readonly #options: ControllerOptions;
  readonly #queue: WorkQueue;
  readonly #log: Logger;
  readonly #clock: Clock;
  readonly #observer: ControllerObserver;
  #runs = 0;

  constructor(options: ControllerOptions) {
    this.name = options.name;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#log = (options.log ?? silentLogger).child({ controller: options.name });
    this.#queue =
      options.queue ??
      new WorkQueue({
        name: options.name,
        maxDelayMs: options.maxRetryDelayMs,
        registry: options.registry,
        clock: this.#clock,
        random: options.random,
      });
    this.#observer = observeController(options.registry, options.name, this.#concurrency);
  }

  get #concurrency(): number {
    return this.#options.concurrency ?? 4;
  }

  /**
   * Enqueues the keys that changes of a store concern, also before `run`. Objects of the first list have lower priority
   * than live changes.
   */
  watch<T extends KubeObject>(store: Watchable<T>, mapping: WatchMapping<T> = {}): void {
    const map = mapping.map ?? ((object: T) => [keyOf(object)]);
    store.subscribe(({ old, new: now, initial }) => {
      if (old !== undefined && now !== undefined && mapping.changed?.(old, now) === false) {
        return;
      }
      const keys = new Set([...(old === undefined ? [] : map(old)), ...(now === undefined ? [] : map(now))]);
      for (const key of keys) {
        if (initial) this.#queue.add(key, { priority: LOW_PRIORITY });
        else this.#queue.addAfter(key, mapping.afterMs ?? 0);
      }
    });
  }

  /** Enqueues a key, at once or after a time. */
  enqueue(key: Key, { afterMs = 0, ...options }: AddOptions & { afterMs?: number } = {}): void {
    this.#queue.addAfter(key, afterMs, options);
  }

  /**
   * Works until the signal aborts, then waits for running reconciles. Those that exceed `drainMs` have their signal
   * aborted. Resolves once all have ended.
   */
  async run(signal: AbortSignal): Promise<void> {
    const force = new AbortController();
    const workers = Array.from({ length: this.#concurrency }, () => this.#work(force.signal));
    await aborted(signal);
    this.#queue.close();
    const cancel = this.#clock.setTimeout(() => force.abort(signal.reason), this.#options.drainMs ?? 20_000);
    await Promise.all(workers);
    cancel();
  }

  async #work(force: AbortSignal): Promise<void> {
    for (let key = await this.#queue.get(); key !== undefined; key = await this.#queue.get()) {
      try {
        await this.#process(key, force);
      } finally {
        this.#queue.done(key);
      }
      // Most reconciles make no request. Without a pause, thousands in a row would block the Lease, probes and watches.
      await nextTurn();
    }
  }

  async #process(key: Key, force: AbortSignal): Promise<void> {
    if (this.#options.ready?.(key) === false) {
      this.#observer.staleCache();
      this.#queue.addAfter(key, STALE_CACHE_RETRY_MS);
      return;
    }
    const timeoutMs = this.#options.timeoutMs ?? 60_000;
    const limit = deadline(
      force,
      timeoutMs,
      this.#clock,
      () => new ReconcileTimeoutError(`reconcile of ${key} did not end within ${timeoutMs} ms`),
    );
    const log = this.#log.child({ key, reconcileId: ++this.#runs });
    const startedAt = this.#clock.monotonic();
    this.#observer.started();
    try {
      const result = await this.#options.reconcile(key, { signal: limit.signal, log });
      this.#succeeded(key, result?.requeueAfterMs);
    } catch (error) {
      this.#failed(key, error, log, force);
    } finally {
      this.#finish(limit, startedAt);
    }
  }

  #succeeded(key: Key, requeueAfterMs: number | undefined): void {
    this.#queue.forget(key);
    if (requeueAfterMs === undefined) {
      this.#observer.result('success');
    } else {
      this.#observer.result('requeue_after');
      this.#queue.addAfter(key, requeueAfterMs);
    }
  }

  #failed(key: Key, error: unknown, log: Logger, force: AbortSignal): void {
    if (force.aborted) {
      log.info({ err: error }, 'reconcile aborted, the process is shutting down');
      return;
    }
    const retryInMs = this.#queue.addRateLimited(key);
    if (isKubeError(error, 'Conflict')) {
      this.#observer.result('requeue');
      log.debug({ reason: error.message, retryInMs }, 'object has changed, reconciling again');
      return;
    }
    // The watch delivers the deletion of the object shortly after, and the next reconcile finds nothing to do.
    if (isNamespaceGone(error)) {
      this.#observer.result('requeue');
      log.debug({ retryInMs }, 'namespace is deleted, reconciling again');
      return;
    }
    this.#observer.result('error');
    if (isPanic(error)) {
      this.#observer.panic();
    }
    log.error({ err: error, retryInMs: Math.round(retryInMs) }, 'reconcile failed');
  }

  #finish(limit: Deadline, startedAt: number): void {
    if (limit.expired) {
      this.#observer.timeout();
    }
    limit.dispose();
    this.#observer.finished((this.#clock.monotonic() - startedAt) / 1000);
  }
}

/** Errors that only a bug can cause, like a panic in Go. */
function isPanic(error: unknown): boolean {
  return (
    !(error instanceof Error) ||
    error instanceof TypeError ||
    error instanceof ReferenceError ||
    error instanceof RangeError ||
    error instanceof SyntaxError
  );
}
