/** Which namespace holds each API key of a pool: by the same rule as models hold their names. */
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

  /** Namespace by hash of the keys that are held. */
  of(pool: InferencePool): ReadonlyMap<string, string> {
    return this.#ledger.keys(pool);
  }

  /**
   * Takes note of the keys that are in force now. What a namespace held and does not claim any more is kept for it a while,
   * at most as many keys as it may have. Not to be called while the pool asks for no keys: nobody loses any by that. Returns
   * whether any key has become free.
   */
  settle(pool: InferencePool, keys: readonly RouteKey[]): boolean {
    const next = new Map(keys.map((key) => [key.sha256, namespaceOf(key)]));
    const kept = new Map<string, number>();
    let isAnyFree = false;
    for (const [hash, namespace] of this.of(pool)) {
      const others = kept.get(namespace) ?? 0;
      if (next.has(hash)) continue;
      if (others >= MAX_KEYS_PER_NAMESPACE || !this.#reservations.isKept(hash)) {
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

  /** Whether routers may take the key for its tenant: it is written who holds it. */
  isSaved(pool: InferencePool, key: RouteKey): boolean {
    return this.#ledger.isKeySaved(pool, key.sha256, namespaceOf(key));
  }

  /** Milliseconds until a key becomes free by itself. */
  get changesInMs(): number | undefined {
    return this.#reservations.endsInMs;
  }
}

/** A tenant is a namespace or a part of one. */
function namespaceOf({ tenant }: RouteKey): string {
  return tenant.split('/', 1)[0] ?? tenant;
}
