/** Nodes that are about to be removed. Nodes are only watched while a pool of spot nodes exists. */
import type { Registry } from 'prom-client';
import type { InferencePool } from '../../api/types.ts';
import { orAbort } from '../../kube/abort.ts';
import type { KubeClient } from '../../kube/client.ts';
import type { Clock } from '../../kube/clock.ts';
import type { Logger } from '../../kube/logger.ts';
import { Reflector } from '../../kube/reflector.ts';
import { NODES } from '../../kube/resource-types.ts';
import type { Store } from '../../kube/store.ts';
import { type NodeNotice, type NoticedNode, trimNode } from './eviction-notice.ts';

export interface NodeNoticesOptions {
  client: KubeClient;
  pools: Store<InferencePool>;
  log: Logger;
  registry: Registry;
  clock?: Clock;
}

/** Most nodes that are remembered after they went. */
const MAX_GONE = 1_000;

/** Not one of the manager's caches: an operator without permission to read nodes still works, without these notices. */
export class NodeNotices {
  readonly name = 'node notices';
  readonly #reflector: Reflector<NoticedNode>;
  readonly #pools: Store<InferencePool>;

  /** Names of spot nodes that are gone: their pods may be accounted later. */
  readonly #goneSpot = new Set<string>();

  constructor({ pools, ...options }: NodeNoticesOptions) {
    this.#pools = pools;
    this.#reflector = new Reflector<NoticedNode>({ type: NODES, transform: trimNode, ...options });
    this.#reflector.store.subscribe(({ old, new: now }) => {
      if (old?.spot && !now) this.#noteGone(old.metadata.name);
    });
  }

  get store(): Store<NoticedNode> {
    return this.#reflector.store;
  }

  /** The notice of a node, if it has one. */
  of(nodeName: string): NodeNotice | undefined {
    return this.store.get({ name: nodeName })?.notice;
  }

  /** Whether the node is a spot node, or was one before it went. False while nodes are not read. */
  isSpot(nodeName: string): boolean {
    const node = this.store.get({ name: nodeName });
    return node ? node.spot === true : this.#goneSpot.has(nodeName);
  }

  #noteGone(nodeName: string): void {
    this.#goneSpot.add(nodeName);
    const [oldest] = this.#goneSpot;
    if (this.#goneSpot.size > MAX_GONE && oldest !== undefined) this.#goneSpot.delete(oldest);
  }

  /** Starts to watch nodes when the first pool of spot nodes appears. Runs until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const unsubscribe = this.#pools.subscribe(({ new: pool }) => {
      if (pool?.spec.accelerator.spot === true) resolve();
    });
    try {
      await orAbort(promise, signal);
    } catch (error) {
      if (signal.aborted) return;
      throw error;
    } finally {
      unsubscribe();
    }
    await this.#reflector.run(signal);
  }
}
