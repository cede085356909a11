/** The operator's stores, filled by tests instead of watches. */
import { Registry } from 'prom-client';
import { type ClusterState, createClusterState } from '../../../operator/controllers/cluster-state.ts';
import type { KubeClient } from '../../../operator/kube/client.ts';
import { silentLogger } from '../../../operator/kube/logger.ts';
import type { KubeObject } from '../../../operator/kube/object.ts';
import type { Store } from '../../../operator/kube/store.ts';

export function aState(): ClusterState {
  return createClusterState({ client: {} as KubeClient, log: silentLogger, registry: new Registry() });
}

let version = 1;

/** Puts an object into a store as its next version, a copy as watches bring it. */
export function put<T extends KubeObject>(store: Store<T>, object: T): T {
  version += 1;
  const copy = structuredClone(object);
  copy.metadata.resourceVersion = String(version);
  store.upsert(copy);
  return copy;
}
