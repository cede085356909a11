/** Caches the API keys of each pool until ConfigMaps, namespaces or the pool's spec change. */
import type { InferencePool } from '../../api/types.ts';
import type { Clock } from '../../kube/clock.ts';
import { Derived } from '../../kube/derived.ts';
import { PerObject } from '../../kube/per-object.ts';
import { type ApiKeyIssue, cachedEntryReader, parseApiKeys } from '../../router/api-keys.ts';
import type { RouteKey } from '../../router/route-table.ts';
import type { GrantLedger } from '../acceptance/grant-ledger.ts';
import { KeyHolders } from '../acceptance/key-holders.ts';
import { admits, poolsThatReconsider, poolsWithKeysOf } from '../shared/admitted-namespaces.ts';
import type { ClusterState } from '../shared/cluster-state.ts';

interface PoolKeys {
  keys: RouteKey[];
  issues: readonly ApiKeyIssue[];
}

export interface PoolApiKeysOptions {
  state: ClusterState;
  ledger: GrantLedger;
  clock: Clock;
}

export class PoolApiKeys {
  readonly #options: PoolApiKeysOptions;
  readonly #read = cachedEntryReader();
  readonly #keys: Derived<PoolKeys>;
  readonly #holders: PerObject<KeyHolders>;

  constructor(options: PoolApiKeysOptions) {
    this.#options = options;
    const { apiKeys, namespaces, pools } = options.state;
    this.#holders = new PerObject(pools.store);
    this.#keys = new Derived<PoolKeys>(pools.store).dropOn(apiKeys.store, ({ metadata }) =>
      poolsWithKeysOf(options.state, metadata.namespace).map((pool) => pool.metadata.uid),
    );
    namespaces.store.subscribe((change) => {
      for (const { metadata } of poolsThatReconsider(options.state, change)) this.#keys.drop(metadata.uid);
    });
  }

  /** The keys that the pool accepts, each with its namespace, and the problems of rejected keys. */
  of(pool: InferencePool): PoolKeys {
    if (pool.spec.router.auth.mode !== 'APIKey') return { keys: [], issues: [] };
    const holders = this.#holdersOf(pool);
    if (holders.changesInMs === 0) this.#keys.drop(pool.metadata.uid);
    return this.#keys.of(pool, [], () => this.#collect(pool, holders));
  }

  #collect(pool: InferencePool, holders: KeyHolders): PoolKeys {
    const { state } = this.#options;
    const admitted = state.apiKeys.store
      .list()
      .filter(({ metadata }) => admits(state, pool, metadata.namespace));
    const parse = () => parseApiKeys(admitted, holders.of(pool), this.#read);
    let found = parse();
    if (holders.settle(pool, found.keys)) {
      // A key that one namespace has given up may be claimed by another.
      found = parse();
      holders.settle(pool, found.keys);
    }
    return found;
  }

  /** The keys that routers may accept, because their holder is persisted. */
  saved(pool: InferencePool, keys: RouteKey[]): RouteKey[] {
    const holders = this.#holdersOf(pool);
    return keys.every((key) => holders.isSaved(pool, key))
      ? keys
      : keys.filter((key) => holders.isSaved(pool, key));
  }

  /** Milliseconds until a reserved key of the pool becomes free. */
  changesInMs(pool: InferencePool): number | undefined {
    return pool.spec.router.auth.mode === 'APIKey' ? this.#holdersOf(pool).changesInMs : undefined;
  }

  #holdersOf(pool: InferencePool): KeyHolders {
    const { ledger, clock } = this.#options;
    return this.#holders.getOr(pool.metadata.uid, () => new KeyHolders(ledger, clock));
  }
}
