/** Keeps the last route table of a pool, without secrets, where a router finds it that starts while the operator is down. */
import type { InferencePool } from '../api/types.ts';
import type { KubeClient } from '../kube/client.ts';
import type { Clock } from '../kube/clock.ts';
import { type Key, keyOf } from '../kube/key.ts';
import type { Logger } from '../kube/logger.ts';
import { CONFIG_MAPS } from '../kube/resource-types.ts';
import { poolLabels } from '../render/labels.ts';
import { routeSnapshotName } from '../render/names.ts';
import { snapshot } from '../router/compile-route-table.ts';
import type { RouteTable } from '../router/route-table.ts';
import type { ClusterState } from './cluster-state.ts';
import type { ConfigMap } from './workloads.ts';

/** Endpoints come and go during a rollout; a snapshot half a minute old still has the Services as last resort. */
const INTERVAL_MS = 30_000;

/** The API server refuses objects above 1.5 MiB (etcd's limit); metadata needs some of that. */
const MAX_BYTES = 1_000_000;

const FILE = 'routes.json';

export interface SnapshotWriterOptions {
  client: KubeClient;
  state: ClusterState;
  clock: Clock;
  log: Logger;
}

export class SnapshotWriter {
  readonly #options: SnapshotWriterOptions;
  readonly #saved = new Map<Key, { text: string; at: number }>();
  /** Tables that were put off, by pool. */
  readonly #put = new Map<Key, { pool: InferencePool; table: RouteTable }>();

  constructor(options: SnapshotWriterOptions) {
    this.#options = options;
  }

  /** The table that an operator before this one published, so that versions keep growing. */
  load(pool: InferencePool): RouteTable | undefined {
    const text = this.#options.state.configMaps.store.get(this.#key(pool))?.data?.[FILE];
    if (text === undefined) return undefined;
    try {
      const table = JSON.parse(text) as RouteTable;
      this.#saved.set(keyOf(pool), { text: contentOf(table), at: Number.NEGATIVE_INFINITY });
      return table;
    } catch {
      this.#options.log.warn({ pool: keyOf(pool) }, 'the route snapshot is not JSON; it is written anew');
      return undefined;
    }
  }

  /** Writes the table if it is new, at most every half a minute; asks to be called again for what it put off. */
  async save(
    pool: InferencePool,
    table: RouteTable,
    signal: AbortSignal,
  ): Promise<{ requeueAfterMs?: number } | undefined> {
    const { state, clock } = this.#options;
    const key = keyOf(pool);
    this.#put.delete(key);
    const saved = this.#saved.get(key);
    const content = contentOf(table);
    const exists = state.configMaps.store.get(this.#key(pool)) !== undefined;
    // The version alone says nothing to a router that starts without the operator.
    if ((exists && saved?.text === content) || pool.metadata.deletionTimestamp !== undefined)
      return undefined;
    const wait = (saved?.at ?? Number.NEGATIVE_INFINITY) + INTERVAL_MS - clock.monotonic();
    if (exists && wait > 0) {
      this.#put.set(key, { pool, table });
      return { requeueAfterMs: wait };
    }
    await this.#write(pool, table, signal);
    return undefined;
  }

  /** Writes what was put off: the next operator is to find the last word of this one. */
  async flush(signal: AbortSignal): Promise<void> {
    for (const { pool, table } of this.#put.values()) await this.#write(pool, table, signal);
    this.#put.clear();
  }

  async #write(pool: InferencePool, table: RouteTable, signal: AbortSignal): Promise<void> {
    const { client, clock, log } = this.#options;
    const key = keyOf(pool);
    const saved = { text: contentOf(table), at: clock.monotonic() };
    const text = JSON.stringify(snapshot(table));
    if (Buffer.byteLength(text) > MAX_BYTES) {
      this.#saved.set(key, saved);
      log.warn(
        { pool: key, models: table.models.length },
        'the route table is too large for a snapshot; a router that starts without the operator waits for it',
      );
      return;
    }
    const { name, namespace } = this.#key(pool);
    const configMap: ConfigMap = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: {
        name,
        namespace,
        labels: poolLabels('router', pool.metadata),
        // Not as controller: the applier prunes what it did not render, and this is written at another pace.
        ownerReferences: [
          {
            apiVersion: pool.apiVersion,
            kind: pool.kind,
            name: pool.metadata.name,
            uid: pool.metadata.uid ?? '',
          },
        ],
      },
      data: { [FILE]: text },
    };
    await client.apply(CONFIG_MAPS, configMap, { fieldManager: 'vllm-operator-routes', force: true, signal });
    this.#saved.set(key, saved);
  }

  #key(pool: InferencePool): { namespace: string; name: string } {
    return { namespace: pool.metadata.namespace ?? '', name: routeSnapshotName(pool.metadata.name) };
  }
}

/** What a snapshot says, but for its version. */
function contentOf(table: RouteTable): string {
  return JSON.stringify({ ...snapshot(table), version: 0 });
}
