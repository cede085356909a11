/** The API keys of each pool, put together anew only when ConfigMaps, namespaces or the pool's spec have changed. */
import type { InferencePool } from '../../api/types.ts';
import type { Clock } from '../../kube/clock.ts';
import { type Key, keyOf } from '../../kube/key.ts';
import { admitsNamespace } from '../../model/acceptance.ts';
import { type ApiKeyIssue, parseApiKeys, rememberingRead } from '../../router/api-keys.ts';
import type { RouteKey } from '../../router/route-table.ts';
import type { GrantLedger } from '../acceptance/grant-ledger.ts';
import { KeyHolders } from '../acceptance/key-holders.ts';
import type { ClusterState } from '../shared/cluster-state.ts';

interface PoolKeys {
  keys: RouteKey[];
  issues: readonly ApiKeyIssue[];
}

export interface ApiKeyKeeperOptions {
  state: ClusterState;
  ledger: GrantLedger;
  clock: Clock;
}

export class ApiKeyKeeper {
  readonly #options: ApiKeyKeeperOptions;
  readonly #read = rememberingRead();
  readonly #kept = new Map<Key, PoolKeys & { of: string }>();
  /** By UID of the pool. */
  readonly #holders = new Map<string, KeyHolders>();
  /** Counts changes of what all pools depend on. */
  #changes = 0;

  constructor(options: ApiKeyKeeperOptions) {
    this.#options = options;
    const { apiKeys, namespaces, pools } = options.state;
    for (const store of [apiKeys.store, namespaces.store]) {
      store.subscribe(() => {
        this.#changes += 1;
      });
    }
    pools.store.subscribe(({ old, new: now }) => {
      if (old && !now) this.#holders.delete(old.metadata.uid ?? '');
    });
  }

  /** Keys that a pool admits, each with the namespace that holds it, and what is wrong with others. */
  of(pool: InferencePool): PoolKeys {
    if (pool.spec.router.auth.mode !== 'APIKey') return { keys: [], issues: [] };
    const of = `${pool.metadata.uid}/${pool.metadata.generation}/${this.#changes}`;
    const kept = this.#kept.get(keyOf(pool));
    const holders = this.#holdersOf(pool);
    if (kept?.of === of && holders.changesInMs !== 0) return kept;
    const { apiKeys, namespaces } = this.#options.state;
    const admitted = apiKeys.store
      .list()
      .filter(({ metadata: { namespace = '' } }) =>
        admitsNamespace(pool, namespace, namespaces.store.get(namespace)?.metadata.labels),
      );
    const parse = () => parseApiKeys(admitted, holders.of(pool), this.#read);
    let found = parse();
    if (holders.settle(pool, found.keys)) {
      // What one has given up may be what another claims.
      found = parse();
      holders.settle(pool, found.keys);
    }
    this.#kept.set(keyOf(pool), { ...found, of });
    return found;
  }

  /** Those of the keys that routers may take: it is written who holds them. */
  saved(pool: InferencePool, keys: RouteKey[]): RouteKey[] {
    const holders = this.#holdersOf(pool);
    return keys.every((key) => holders.isSaved(pool, key))
      ? keys
      : keys.filter((key) => holders.isSaved(pool, key));
  }

  /** Milliseconds until keys of the pool become free by themselves. */
  changesInMs(pool: InferencePool): number | undefined {
    return pool.spec.router.auth.mode === 'APIKey' ? this.#holdersOf(pool).changesInMs : undefined;
  }

  /** Drops a pool that is gone. */
  forget(poolKey: Key): void {
    this.#kept.delete(poolKey);
  }

  #holdersOf(pool: InferencePool): KeyHolders {
    const { uid = '' } = pool.metadata;
    let holders = this.#holders.get(uid);
    if (!holders) {
      holders = new KeyHolders(this.#options.ledger, this.#options.clock);
      this.#holders.set(uid, holders);
    }
    return holders;
  }
}
