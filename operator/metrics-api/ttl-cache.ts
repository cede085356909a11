/** Caches responses of the API server for a limited time. */
import { type Clock, systemClock } from '../kube/clock.ts';

export interface TtlCacheOptions<T> {
  /** How long a value may be used, in milliseconds. */
  ttlMs: (value: T) => number;
  /** The oldest entries are dropped beyond this number. */
  maxEntries: number;
  clock?: Clock;
}

interface Entry<T> {
  value: Promise<T>;
  /** Undefined while loading. */
  expiresAt: number | undefined;
}

/** Loads each key once at a time and caches the result. Failures are not cached. */
export class TtlCache<T> {
  readonly #options: TtlCacheOptions<T>;
  readonly #clock: Clock;
  readonly #entries = new Map<string, Entry<T>>();

  constructor(options: TtlCacheOptions<T>) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** The cached value, or the result of `load`. Rejects like `load`. */
  get(key: string, load: () => Promise<T>): Promise<T> {
    const kept = this.#entries.get(key);
    if (kept && (kept.expiresAt === undefined || this.#clock.monotonic() < kept.expiresAt)) return kept.value;
    const entry: Entry<T> = { value: Promise.resolve().then(load), expiresAt: undefined };
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    this.#trim();
    entry.value.then(
      (value) => {
        entry.expiresAt = this.#clock.monotonic() + this.#options.ttlMs(value);
      },
      () => {
        if (this.#entries.get(key) === entry) this.#entries.delete(key);
      },
    );
    return entry.value;
  }

  #trim(): void {
    for (const key of this.#entries.keys()) {
      if (this.#entries.size <= this.#options.maxEntries) return;
      this.#entries.delete(key);
    }
  }
}
