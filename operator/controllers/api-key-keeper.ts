/** The API keys of each pool, put together anew only when ConfigMaps, namespaces or the pool's spec have changed. */
import type { InferencePool } from '../api/types.ts';
import { type Key, keyOf } from '../kube/key.ts';
import { type ApiKeyIssue, keyHolders, parseApiKeys, rememberingRead } from '../router/api-keys.ts';
import type { RouteKey, RouteTable } from '../router/route-table.ts';
import { admitsNamespace } from './acceptance.ts';
import type { ClusterState } from './cluster-state.ts';

interface PoolKeys {
  keys: RouteKey[];
  issues: readonly ApiKeyIssue[];
}

export class ApiKeyKeeper {
  readonly #state: ClusterState;
  readonly #read = rememberingRead();
  readonly #kept = new Map<Key, PoolKeys & { of: string }>();
  /** Counts changes of what all pools depend on. */
  #changes = 0;

  constructor(state: ClusterState) {
    this.#state = state;
    for (const store of [state.apiKeys.store, state.namespaces.store]) {
      store.subscribe(() => {
        this.#changes += 1;
      });
    }
  }

  /** Keys that a pool admits, and what is wrong with others. `previous` tells whose a key was before. */
  of(pool: InferencePool, previous: RouteTable | undefined): PoolKeys {
    if (pool.spec.router.auth.mode !== 'APIKey') return { keys: [], issues: [] };
    const of = `${pool.metadata.uid}/${pool.metadata.generation}/${this.#changes}`;
    const kept = this.#kept.get(keyOf(pool));
    if (kept?.of === of) return kept;
    const { apiKeys, namespaces } = this.#state;
    const admitted = apiKeys.store
      .list()
      .filter(({ metadata: { namespace = '' } }) =>
        admitsNamespace(pool, namespace, namespaces.store.get(namespace)?.metadata.labels),
      );
    const found = { ...parseApiKeys(admitted, keyHolders(previous?.keys ?? []), this.#read), of };
    this.#kept.set(keyOf(pool), found);
    return found;
  }

  /** Drops a pool that is gone. */
  forget(poolKey: Key): void {
    this.#kept.delete(poolKey);
  }
}
