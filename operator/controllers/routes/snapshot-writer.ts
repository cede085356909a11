/**
 * Writes the last route table of a pool, without secrets, to a ConfigMap for routers that start while the operator is
 * down. It has a work queue of its own, because routers must not wait until the API server has accepted a large
 * ConfigMap.
 */
import type { InferencePool } from '../../api/types.ts';
import type { KubeClient } from '../../kube/client.ts';
import type { Clock } from '../../kube/clock.ts';
import { type Key, keyOf } from '../../kube/key.ts';
import type { Logger } from '../../kube/logger.ts';
import { isOwnedBy } from '../../kube/owner-reference.ts';
import { PerObject } from '../../kube/per-object.ts';
import { CONFIG_MAPS } from '../../kube/resource-types.ts';
import { compareResourceVersions } from '../../kube/resource-version.ts';
import { poolLabels } from '../../render/labels.ts';
import { routeSnapshotName } from '../../render/names.ts';
import { snapshot } from '../../router/compile-route-table.ts';
import { readSnapshot } from '../../router/read-snapshot.ts';
import type { RouteTable } from '../../router/route-table.ts';
import type { ClusterState } from '../shared/cluster-state.ts';
import type { ConfigMap } from '../shared/workloads.ts';

/** Endpoints change during a rollout. A snapshot that is half a minute old still has the Services as last resort. */
const INTERVAL_MS = 30_000;

/** The API server rejects objects above 1.5 MiB (limit of etcd), and metadata needs a part of that. */
const MAX_BYTES = 1_000_000;

const FILE = 'routes.json';

export interface SnapshotWriterOptions {
  client: KubeClient;
  state: ClusterState;
  clock: Clock;
  log: Logger;
  /** Called when a pool has a table that is not saved yet. */
  onNew: (poolKey: Key) => void;
}

interface Saved {
  table: RouteTable;
  /** What was written; undefined if the table is too large for a ConfigMap. */
  text: string | undefined;
  /** Of the ConfigMap with this text. */
  resourceVersion: string | undefined;
  /** Monotonic milliseconds. */
  at: number;
}

export class SnapshotWriter {
  readonly #options: SnapshotWriterOptions;
  /** By pool. */
  readonly #saved: PerObject<Saved>;
  readonly #waiting: PerObject<RouteTable>;

  constructor(options: SnapshotWriterOptions) {
    this.#options = options;
    this.#saved = new PerObject(options.state.pools.store);
    this.#waiting = new PerObject(options.state.pools.store);
  }

  /** The table that a previous leader published. Versions continue from it. */
  load(pool: InferencePool): RouteTable | undefined {
    const found = this.#options.state.configMaps.store.get(this.#key(pool));
    const text = found?.data?.[FILE];
    if (text === undefined || !isOwnedBy(found as ConfigMap, pool.metadata.uid ?? '')) return undefined;
    const table = readSnapshot(text);
    if (table)
      this.#saved.set(pool.metadata.uid, {
        table,
        text,
        resourceVersion: found?.metadata.resourceVersion,
        at: Number.NEGATIVE_INFINITY,
      });
    else this.#options.log.warn({ pool: keyOf(pool) }, 'the route snapshot is invalid; it will be rewritten');
    return table;
  }

  /** Queues the newest table of a pool. */
  offer(pool: InferencePool, table: RouteTable): void {
    const { uid } = pool.metadata;
    if (this.#saved.get(uid)?.table === table && this.#isAsWritten(pool)) return;
    if (this.#waiting.get(uid) === table) return;
    this.#waiting.set(uid, table);
    this.#options.onNew(keyOf(pool));
  }

  /**
   * Writes the newest table of a pool if its content has changed, or somebody else has changed the ConfigMap, at most every
   * 30 seconds. Throws KubeError.
   */
  async reconcile(
    key: Key,
    { signal }: { signal: AbortSignal },
  ): Promise<{ requeueAfterMs?: number } | undefined> {
    const { state, clock } = this.#options;
    const pool = state.pools.store.get(key);
    const uid = pool?.metadata.uid;
    const table = this.#waiting.get(uid);
    if (!table || !pool || pool.metadata.deletionTimestamp !== undefined) {
      this.#waiting.delete(uid);
      return undefined;
    }
    const saved = this.#saved.get(uid);
    if (saved && this.#exists(pool)) {
      const wait = saved.at + INTERVAL_MS - clock.monotonic();
      if (wait > 0) return { requeueAfterMs: wait };
      if (this.#isSaved(pool, table)) {
        this.#settle(pool, { ...saved, table });
        return undefined;
      }
    }
    await this.#write(pool, table, signal);
    return undefined;
  }

  /** Writes the pending tables, so that the next leader starts from the last state of this one. */
  async flush(signal: AbortSignal): Promise<void> {
    for (const pool of this.#options.state.pools.store.list()) {
      const { uid } = pool.metadata;
      const table = this.#waiting.get(uid);
      if (table && !this.#isSaved(pool, table)) await this.#write(pool, table, signal);
      this.#waiting.delete(uid);
    }
  }

  /** Whether the ConfigMap has the table. A new version number alone is of no use to a router that starts while the operator is down. */
  #isSaved(pool: InferencePool, table: RouteTable): boolean {
    const saved = this.#saved.get(pool.metadata.uid);
    return saved !== undefined && this.#isAsWritten(pool) && contentOf(saved.table) === contentOf(table);
  }

  #exists(pool: InferencePool): boolean {
    return this.#options.state.configMaps.store.get(this.#key(pool)) !== undefined;
  }

  /**
   * Whether the cache shows the ConfigMap as it was last written, or does not show that write yet. A person may have edited
   * it, and a request of a former leader may come late.
   */
  #isAsWritten(pool: InferencePool): boolean {
    const { uid = '' } = pool.metadata;
    const saved = this.#saved.get(uid);
    const found = this.#options.state.configMaps.store.get(this.#key(pool));
    if (!saved || !found) return false;
    const { resourceVersion = '' } = found.metadata;
    if (
      saved.text === undefined ||
      compareResourceVersions(resourceVersion, saved.resourceVersion ?? '') <= 0
    )
      return true;
    if (found.data?.[FILE] !== saved.text || !isOwnedBy(found, uid)) return false;
    this.#saved.set(uid, { ...saved, resourceVersion });
    return true;
  }

  #settle(pool: InferencePool, saved: Saved): void {
    const { uid } = pool.metadata;
    this.#saved.set(uid, saved);
    // A newer table may have been queued during the write.
    if (this.#waiting.get(uid) === saved.table) this.#waiting.delete(uid);
    else if (this.#waiting.has(uid)) this.#options.onNew(keyOf(pool));
  }

  async #write(pool: InferencePool, table: RouteTable, signal: AbortSignal): Promise<void> {
    const { client, clock, log } = this.#options;
    const saved = { table, at: clock.monotonic() };
    const text = JSON.stringify(snapshot(table));
    if (Buffer.byteLength(text) > MAX_BYTES) {
      this.#settle(pool, { ...saved, text: undefined, resourceVersion: undefined });
      log.warn(
        { pool: keyOf(pool), models: table.models.length },
        'the route table is too large for a snapshot; routers that start while the operator is down wait for it',
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
        // Not a controller reference, because the applier prunes controlled objects that it did not render.
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
    const { metadata } = await client.apply(CONFIG_MAPS, configMap, {
      fieldManager: 'vllm-operator-routes',
      force: true,
      signal,
    });
    this.#settle(pool, { ...saved, text, resourceVersion: metadata.resourceVersion });
  }

  #key(pool: InferencePool): { namespace: string; name: string } {
    return { namespace: pool.metadata.namespace ?? '', name: routeSnapshotName(pool.metadata.name) };
  }
}

/** The content of a snapshot without its version. */
function contentOf(table: RouteTable): string {
  return JSON.stringify({ ...snapshot(table), version: 0 });
}
