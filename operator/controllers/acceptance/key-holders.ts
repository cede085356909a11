/** Which namespace holds each API key of a pool. The rule is the same as for model names: the first holder keeps it. */
import type { InferencePool } from '../../api/types.ts';
import type { Clock } from '../../kube/clock.ts';
import { MAX_KEYS_PER_NAMESPACE } from '../../router/api-keys.ts';
import type { RouteKey } from '../../router/route-table.ts';
import type { GrantLedger } from './grant-ledger.ts';
import { Reservations } from './reservations.ts';

export class KeyHolders {
  readonly #ledger: GrantLedger;
  readonly #reservations: Reservations;

  constructor(ledger: GrantLedger, clock: Clock) {
    this.#ledger = ledger;
    this.#reservations = new Reservations(clock);
  }

  /** Namespace by hash of each key that is held. */
  of(pool: InferencePool): ReadonlyMap<string, string> {
    return this.#ledger.keys(pool);
  }

  /**
   * Records the keys in force. A key that its namespace no longer claims stays reserved for it for a while, up to the
   * limit of keys per namespace. Do not call this while the pool requires no keys, because that must not free any.
   * Returns whether a key has become free.
   */
  settle(pool: InferencePool, keys: readonly RouteKey[]): boolean {
    const next = new Map(keys.map((key) => [key.sha256, namespaceOf(key)]));
    const kept = new Map<string, number>();
    let isAnyFree = false;
    for (const [hash, namespace] of this.of(pool)) {
      const others = kept.get(namespace) ?? 0;
      if (next.has(hash)) continue;
      if (others >= MAX_KEYS_PER_NAMESPACE || !this.#reservations.isReserved(hash)) {
        isAnyFree = true;
        continue;
      }
      kept.set(namespace, others + 1);
      next.set(hash, namespace);
    }
    const claimed = new Set(keys.map(({ sha256 }) => sha256));
    this.#reservations.retain((hash) => next.has(hash) && !claimed.has(hash));
    this.#ledger.setKeys(pool, next);
    return isAnyFree;
  }

  /** Whether routers may accept the key for its tenant: its holder is persisted. */
  isSaved(pool: InferencePool, key: RouteKey): boolean {
    return this.#ledger.isKeySaved(pool, key.sha256, namespaceOf(key));
  }

  /** Milliseconds until a reservation expires and a key becomes free. */
  get changesInMs(): number | undefined {
    return this.#reservations.endsInMs;
  }
}

/** A tenant is a namespace, or a namespace and a part of it. */
function namespaceOf({ tenant }: RouteKey): string {
  return tenant.split('/', 1)[0] ?? tenant;
}
