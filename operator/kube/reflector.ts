/**
 * Keeps a Store in sync with a collection of the API server by list and watch, following client-go
 * (tools/cache/reflector.go).
 */
import type { Registry } from 'prom-client';
import { deadline, orAbort } from './abort.ts';
import { backoffDelay } from './backoff.ts';
import type { KubeClient, Selection } from './client.ts';
import { type Clock, sleep, systemClock } from './clock.ts';
import { isKubeError, KubeError, type KubeErrorCode } from './errors.ts';
import { type Logger, silentLogger } from './logger.ts';
import type { KubeObject, ResourceType } from './object.ts';
import { ReflectorMetrics } from './reflector-metrics.ts';
import { typeName } from './resource-types.ts';
import { type IndexFunction, Store } from './store.ts';
import type { WatchEvent } from './watch-stream.ts';

export interface ReflectorOptions<T extends KubeObject> extends Selection {
  client: KubeClient;
  type: ResourceType;
  indexes?: Record<string, IndexFunction<T>>;
  /** Applied to each object before it is stored. May modify and return its argument. Default: `dropBulk`. */
  transform?: (object: T) => T;
  /** Fetch and store only `metadata`. */
  metadataOnly?: boolean;
  freeze?: boolean;
  log?: Logger;
  registry?: Registry | undefined;
  clock?: Clock;
  random?: () => number;
  timing?: Partial<ReflectorTiming>;
}

/** Delays and durations in milliseconds. The defaults are client-go's. */
export interface ReflectorTiming {
  /** First delay after a failure. Default 800 ms. */
  backoffMs: number;
  /** Longest delay after a failure. Default 30 s. */
  backoffCapMs: number;
  /** A watch that lasted this long was healthy and is reopened at once. Default 2 min. */
  healthyMs: number;
  /** The server is asked to end a watch after this time, randomized up to twice as long. Default 5 min. */
  watchMs: number;
  /** How long after that time a watch that has not ended is considered dead. Default 30 s. */
  watchdogMs: number;
}

export interface ReflectorStatus {
  synced: boolean;
  /** Why the last attempt failed; absent if it succeeded. */
  error?: { code: KubeErrorCode | 'Unknown'; message: string };
}

const DEFAULT_TIMING: ReflectorTiming = {
  backoffMs: 800,
  backoffCapMs: 30_000,
  healthyMs: 120_000,
  watchMs: 300_000,
  watchdogMs: 30_000,
};

/** One list and watch. Readers use its `store`. */
export class Reflector<T extends KubeObject = KubeObject> {
  readonly store: Store<T>;
  readonly type: ResourceType;
  readonly #options: ReflectorOptions<T>;
  readonly #transform: (object: T) => T;
  readonly #log: Logger;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #timing: ReflectorTiming;
  readonly #metrics: ReflectorMetrics;
  readonly #synced = Promise.withResolvers<void>();
  #error: ReflectorStatus['error'];
  #hasMetUnnamed = false;

  constructor(options: ReflectorOptions<T>) {
    this.type = options.type;
    this.#options = options;
    this.#log = (options.log ?? silentLogger).child({ resource: typeName(options.type) });
    this.store = new Store<T>({ indexes: options.indexes, freeze: options.freeze, log: this.#log });
    this.#transform = options.transform ?? dropBulk;
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? Math.random;
    this.#timing = { ...DEFAULT_TIMING, ...options.timing };
    this.#metrics = new ReflectorMetrics(options.registry, options.type);
  }

  /** For log messages. */
  get name(): string {
    return `cache ${typeName(this.type)}`;
  }

  /** Whether the store is complete and up to date. */
  status(): ReflectorStatus {
    return { synced: this.store.hasSynced, ...(this.#error ? { error: this.#error } : {}) };
  }

  /** Resolves once the first list is in the store. Rejects with the signal's reason. */
  async waitForSync(signal?: AbortSignal): Promise<void> {
    await orAbort(this.#synced.promise, signal);
  }

  /** Lists and watches until the signal aborts. Retries after failures and never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    let failures = 0;
    let version: string | undefined;
    while (!signal.aborted) {
      const startedAt = this.#clock.monotonic();
      let failure: unknown;
      try {
        version ??= await this.#list(signal);
        await this.#watch(version, signal);
      } catch (error) {
        failure = error;
      }
      if (signal.aborted) {
        return;
      }
      version =
        version === undefined || isKubeError(failure, 'Expired') ? undefined : this.store.resourceVersion;
      const healthy = this.#clock.monotonic() - startedAt >= this.#timing.healthyMs;
      failures = healthy ? 0 : failures + 1;
      this.#report(failure);
      await this.#pause(failure, healthy, failures, signal);
    }
  }

  async #list(signal: AbortSignal): Promise<string> {
    const cause = this.store.hasSynced ? 'expired' : 'start';
    const { client, type, namespace, labelSelector, fieldSelector, metadataOnly } = this.#options;
    const startedAt = this.#clock.monotonic();
    const list = await client.list<T>(type, {
      namespace,
      labelSelector,
      fieldSelector,
      metadataOnly,
      transform: (object) => this.#admit(object),
      signal,
    });
    this.store.replace(list.items, list.resourceVersion);
    this.#metrics.listed(cause, this.store.size, this.#clock.monotonic() - startedAt);
    this.#error = undefined;
    this.#synced.resolve();
    return list.resourceVersion;
  }

  /** Applies events until the server ends the watch. A watch that exceeds its own timeout is half open and is closed. */
  async #watch(resourceVersion: string, signal: AbortSignal): Promise<void> {
    const { client, type, namespace, labelSelector, fieldSelector, metadataOnly } = this.#options;
    const timeoutMs = this.#timing.watchMs * (1 + this.#random());
    const watchdog = deadline(signal, timeoutMs + this.#timing.watchdogMs, this.#clock, () =>
      stalled(this.type, timeoutMs + this.#timing.watchdogMs),
    );
    try {
      const events = client.watch<T>(type, {
        namespace,
        labelSelector,
        fieldSelector,
        metadataOnly,
        resourceVersion,
        timeoutSeconds: Math.ceil(timeoutMs / 1000),
        signal: watchdog.signal,
        onOpen: () => {
          this.#error = undefined;
          this.#metrics.watched();
        },
      });
      for await (const event of events) {
        this.#apply(event);
      }
    } finally {
      watchdog.dispose();
    }
  }

  #apply(event: WatchEvent<T>): void {
    if (event.type === 'BOOKMARK') {
      this.store.bookmark(event.object.metadata?.resourceVersion ?? '');
    } else {
      const object = this.#admit(event.object);
      if (object === undefined) return;
      if (event.type === 'DELETED') this.store.remove(object);
      else this.store.upsert(object);
    }
    this.#metrics.event(this.#clock.now(), this.store.size);
  }

  /** Skips an object without name or UID, which must not block all others. The API server never sends one. */
  #admit(object: T): T | undefined {
    if (object.metadata?.name && object.metadata.uid) return this.#transform(object);
    if (!this.#hasMetUnnamed) this.#log.error({}, 'skipped an object without name or uid');
    this.#hasMetUnnamed = true;
    return undefined;
  }

  /** A watch that ended normally is not a failure, and a repeated failure is logged only once. */
  #report(failure: unknown): void {
    if (failure === undefined) {
      return;
    }
    const code = failure instanceof KubeError ? failure.code : 'Unknown';
    const message = failure instanceof Error ? failure.message : String(failure);
    this.#metrics.failed(code);
    if (code === 'Expired') {
      this.#log.debug({ code, reason: message }, 'watch expired, listing again');
      return;
    }
    const repeated = this.#error?.code === code;
    this.#error = { code, message };
    this.#log[repeated ? 'debug' : 'warn']({ code, reason: message }, 'list or watch failed, retrying');
  }

  async #pause(failure: unknown, healthy: boolean, failures: number, signal: AbortSignal): Promise<void> {
    const asked = failure instanceof KubeError ? (failure.retryAfterMs ?? 0) : 0;
    const expiredOnce = isKubeError(failure, 'Expired') && failures <= 1;
    const backoff =
      healthy || expiredOnce
        ? 0
        : backoffDelay(failures - 1, {
            baseMs: this.#timing.backoffMs * 2,
            capMs: this.#timing.backoffCapMs,
            random: this.#random,
          });
    const waitMs = Math.max(asked, backoff);
    if (waitMs > 0) {
      await sleep(waitMs, { clock: this.#clock, signal }).catch(() => {});
    }
  }
}

/**
 * Drops fields that controllers never read and that can be half of an object: managedFields and kubectl's last-applied
 * annotation.
 */
export function dropBulk<T extends KubeObject>(object: T): T {
  delete object.metadata.managedFields;
  delete object.metadata.annotations?.['kubectl.kubernetes.io/last-applied-configuration'];
  return object;
}

function stalled(type: ResourceType, ms: number): KubeError {
  return new KubeError({
    code: 'Timeout',
    request: `WATCH ${typeName(type)}`,
    message: `the watch did not end within ${Math.round(ms)} ms, so its connection is considered dead`,
  });
}
