/** Sets up the InferencePool controller: its permissions, dependencies and watches. */
import { INFERENCE_POOLS } from '../../api/types.ts';
import type { Controller } from '../../kube/controller.ts';
import { type Key, keyOf } from '../../kube/key.ts';
import type { KubeObject } from '../../kube/object.ts';
import { ownerKeys } from '../../kube/owner-keys.ts';
import { OWN, type Permission, READ } from '../../kube/permission.ts';
import { CONFIG_MAPS, HORIZONTAL_POD_AUTOSCALERS, INGRESSES, NAMESPACES } from '../../kube/resource-types.ts';
import { poolsThatAdmit, watchAdmission } from '../shared/admitted-namespaces.ts';
import { createApplier } from '../shared/children.ts';
import { type ClusterState, cachePoolKeys, routerPoolKeys } from '../shared/cluster-state.ts';
import { createController, type OperatorContext } from '../shared/context.ts';
import { PoolReconciler, type PoolReconcilerOptions } from './pool-reconciler.ts';

export const POOL_PERMISSIONS: readonly Permission[] = [
  // The finalizer is written with a merge patch.
  { type: INFERENCE_POOLS, verbs: [...READ, 'patch'] },
  { type: INFERENCE_POOLS, subresource: 'status', verbs: ['patch'] },
  // Needed to set blockOwnerDeletion on children where the admission plugin OwnerReferencesPermissionEnforcement is enabled.
  { type: INFERENCE_POOLS, subresource: 'finalizers', verbs: ['update'] },
  { type: CONFIG_MAPS, verbs: OWN },
  { type: INGRESSES, verbs: OWN },
  { type: HORIZONTAL_POD_AUTOSCALERS, verbs: OWN },
  // Metadata only, for allowedNamespaces. `get` is for the operator's own namespace.
  { type: NAMESPACES, verbs: ['get', ...READ] },
];

/** Dependencies that other controllers own. */
export type PoolDependencies = Pick<PoolReconcilerOptions, 'resolutions' | 'acceptance' | 'mounts' | 'usage'>;

export function setupPools(context: OperatorContext, dependencies: PoolDependencies): Controller {
  const { state } = context;
  const reconciler = new PoolReconciler({
    ...context,
    ...dependencies,
    applier: createApplier(context, [
      { type: CONFIG_MAPS, store: state.configMaps.store },
      { type: INGRESSES, store: state.ingresses.store },
      { type: HORIZONTAL_POD_AUTOSCALERS, store: state.autoscalers.store },
    ]),
  });
  const controller = createController(context, 'inferencepool', {
    waitsForOwnWrites: true,
    before: (signal) => dependencies.acceptance.load(signal),
    reconcile: (key, run) => reconciler.reconcile(key, run),
  });
  watch(controller, state, ownerKeys('InferencePool'));
  // Routers trust the CA of the operator, and Redis the password that is derived from its root key.
  context.identity.subscribe(() => {
    for (const key of state.pools.store.list().map(keyOf)) {
      context.queues.inferencepool.add(key);
      context.queues.routes.add(key);
    }
  });
  return controller;
}

/** Many models can wake or sleep at once. Their pool counts them once, after the burst. */
const COUNT_AFTER_MS = 200;

/** Watches pools, their children, and the models that use them. */
function watch(controller: Controller, state: ClusterState, owners: (object: KubeObject) => Key[]): void {
  controller.watch(state.pools.store);
  controller.watch(state.models.store, {
    map: (model) => poolsThatAdmit(state, model),
    afterMs: COUNT_AFTER_MS,
  });
  watchAdmission(controller, state, { afterMs: COUNT_AFTER_MS });
  controller.watch(state.pods.store, {
    map: (pod) => [...routerPoolKeys(pod), ...cachePoolKeys(pod)],
    afterMs: COUNT_AFTER_MS,
  });
  // A pool is deleted with its namespace.
  controller.watch(state.namespaces.store, {
    map: ({ metadata }) =>
      state.pools.store
        .list()
        .flatMap((pool) => (pool.metadata.namespace === metadata.name ? [keyOf(pool)] : [])),
    changed: (old, now) => old.metadata.deletionTimestamp !== now.metadata.deletionTimestamp,
  });
  for (const reflector of [
    state.deployments,
    state.services,
    state.serviceAccounts,
    state.configMaps,
    state.disruptionBudgets,
    state.networkPolicies,
    state.ingresses,
    state.autoscalers,
  ]) {
    controller.watch(reflector.store, { map: owners });
  }
}
