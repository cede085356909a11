/** The operator's stores, filled by tests instead of watches. */
import { Registry } from 'prom-client';
import {
  AcceptanceCache,
  type AcceptanceCacheOptions,
} from '../../../operator/controllers/acceptance/acceptance-cache.ts';
import { GrantLedger } from '../../../operator/controllers/acceptance/grant-ledger.ts';
import { type ClusterState, createClusterState } from '../../../operator/controllers/shared/cluster-state.ts';
import { Resolutions } from '../../../operator/controllers/shared/resolutions.ts';
import type { ConfigMap } from '../../../operator/controllers/shared/workloads.ts';
import type { KubeClient } from '../../../operator/kube/client.ts';
import { silentLogger } from '../../../operator/kube/logger.ts';
import type { KubeObject } from '../../../operator/kube/object.ts';
import type { Store } from '../../../operator/kube/store.ts';
import { FakeClock } from '../kube/support/fake-clock.ts';

export function aState(): ClusterState {
  return createClusterState({ client: {} as KubeClient, log: silentLogger, registry: new Registry() });
}

/** Where grants are written, in the place of the API server: `objects` are the ConfigMaps by name. */
export function aGrantStore(objects = new Map<string, ConfigMap>()) {
  return {
    objects,
    list: async () => ({ items: structuredClone([...objects.values()]), resourceVersion: '1' }),
    apply: async (_type: unknown, object: ConfigMap) => {
      const stored = structuredClone(object);
      version += 1;
      stored.metadata.resourceVersion = String(version);
      objects.set(object.metadata.name, stored);
      return structuredClone(stored);
    },
    delete: async (_type: unknown, { name }: { name: string }) => {
      objects.delete(name);
    },
  };
}

/** What the pools of a state say to its models, with a ledger that writes to memory. */
export function anAcceptance(
  state: ClusterState,
  {
    store = aGrantStore(),
    ...more
  }: Partial<AcceptanceCacheOptions> & { store?: ReturnType<typeof aGrantStore> } = {},
): AcceptanceCache {
  const ledger = new GrantLedger(store as unknown as KubeClient, state.pools.store);
  return new AcceptanceCache({
    state,
    resolutions: new Resolutions(state),
    ledger,
    clock: new FakeClock(),
    ...more,
  });
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
