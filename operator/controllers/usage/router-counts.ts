/**
 * Fetches what routers counted. A router gives the same batch until it is asked for the next one, which happens once the batch
 * is in the stored records. A new leader gets the last batch again, and the records say whether they have it.
 */
import type { InferencePool } from '../../api/types.ts';
import { type Key, keyOf } from '../../kube/key.ts';
import { PerObject } from '../../kube/per-object.ts';
import { poolKeyOf } from '../../model/pool-key.ts';
import { isTenant } from '../../router/api-key-entry.ts';
import type { UsageReport } from '../../router/protocol.ts';
import type { Batch } from '../../usage/account.ts';
import { OTHER } from '../../usage/ledger.ts';
import type { ClusterState } from '../shared/cluster-state.ts';

export interface RouterCountsOptions {
  state: Pick<ClusterState, 'models' | 'pools'>;
  /** What the routers of a pool counted, each after a batch. Routers that do not answer are left out. */
  usageOf: (
    poolKey: Key,
    after: (router: string) => number,
    signal: AbortSignal,
  ) => Promise<{ router: string; report: UsageReport }[]>;
}

export class RouterCounts {
  readonly #options: RouterCountsOptions;
  /** By pool and router: the last batch that is stored, and the last one that was fetched. */
  readonly #stored: PerObject<ReadonlyMap<string, number>>;
  readonly #fetched: PerObject<ReadonlyMap<string, number>>;

  constructor(options: RouterCountsOptions) {
    this.#options = options;
    this.#stored = new PerObject(options.state.pools.store);
    this.#fetched = new PerObject(options.state.pools.store);
  }

  /** The batches of the routers of a pool, by namespace of the models. Other models than those of the pool are left out. */
  async fetch(pool: InferencePool, signal: AbortSignal): Promise<Map<string, Batch[]>> {
    const { uid } = pool.metadata;
    const stored = this.#stored.get(uid);
    const reports = await this.#options.usageOf(keyOf(pool), (router) => stored?.get(router) ?? 0, signal);
    this.#fetched.set(uid, new Map(reports.map(({ router, report }) => [router, report.id])));
    const batches = new Map<string, Batch[]>();
    for (const { router, report } of reports) {
      for (const [namespace, counts] of this.#byNamespace(keyOf(pool), report))
        batches.set(namespace, [...(batches.get(namespace) ?? []), { router, id: report.id, counts }]);
    }
    return batches;
  }

  /** The batches that were fetched last are in the stored records. */
  confirm(pool: InferencePool): void {
    const { uid } = pool.metadata;
    this.#stored.set(uid, this.#fetched.get(uid));
  }

  #byNamespace(poolKey: Key, { counts }: UsageReport): Map<string, Batch['counts'][number][]> {
    const found = new Map<string, Batch['counts'][number][]>();
    for (const [uid, tenants] of Object.entries(counts)) {
      const [model] = this.#options.state.models.store.byIndex('byUid', uid);
      if (!model || poolKeyOf(model) !== poolKey) continue;
      const { name, namespace = '' } = model.metadata;
      const list = found.get(namespace) ?? [];
      found.set(namespace, list);
      for (const [tenant, numbers] of Object.entries(tenants))
        list.push({ model: name, tenant: isTenant(tenant) ? tenant : OTHER, ...named(numbers) });
    }
    return found;
  }
}

function named([
  requests = 0,
  promptTokens = 0,
  completionTokens = 0,
  cachedRequests = 0,
  cachedTokens = 0,
  longestRequest = 0,
]: readonly number[]) {
  return { requests, promptTokens, completionTokens, cachedRequests, cachedTokens, longestRequest };
}
