/** Which namespaces a pool admits, by the labels that they have now. */
import type { InferenceModel, InferencePool } from '../../api/types.ts';
import type { Controller } from '../../kube/controller.ts';
import { type Key, keyOf } from '../../kube/key.ts';
import type { KubeObject } from '../../kube/object.ts';
import type { Change } from '../../kube/store.ts';
import { admitsNamespace } from '../../model/namespace-verdict.ts';
import { poolKeyOf } from '../../model/pool-key.ts';
import type { ClusterState } from './cluster-state.ts';

type State = Pick<ClusterState, 'pools' | 'namespaces'>;

/** Whether the pool admits a namespace. */
export function admits(
  { namespaces }: Pick<State, 'namespaces'>,
  pool: InferencePool,
  namespace = '',
): boolean {
  return admitsNamespace(pool, namespace, namespaces.store.get(namespace)?.metadata.labels);
}

/** Key of the pool that a model names, if the pool admits its namespace. */
export function poolsThatAdmit(state: State, model: InferenceModel): Key[] {
  const key = poolKeyOf(model);
  const pool = state.pools.store.get(key);
  return pool && admits(state, pool, model.metadata.namespace) ? [key] : [];
}

/** The pools that require API keys and accept those of a namespace. Anybody may write some. */
export function poolsWithKeysOf(state: State, namespace: string | undefined): InferencePool[] {
  return state.pools.store
    .list()
    .filter((pool) => pool.spec.router.auth.mode === 'APIKey' && admits(state, pool, namespace));
}

/** The pools that begin or cease to admit a namespace with a change of it. */
export function poolsThatReconsider(
  { pools }: Pick<State, 'pools'>,
  { old, new: now }: Change<KubeObject>,
): InferencePool[] {
  const name = (now ?? old)?.metadata.name ?? '';
  const admitted = (pool: InferencePool, at: KubeObject | undefined) =>
    admitsNamespace(pool, name, at?.metadata.labels);
  return pools.store.list().filter((pool) => admitted(pool, old) !== admitted(pool, now));
}

/** Enqueues the pools that begin or cease to admit a namespace, and no others: anybody may label a namespace of their own. */
export function watchAdmission(controller: Controller, state: State, when: { afterMs?: number } = {}): void {
  state.namespaces.store.subscribe((change) => {
    for (const pool of poolsThatReconsider(state, change)) controller.enqueue(keyOf(pool), when);
  });
}
