/** Sets up the evacuation controller: its permissions, dependencies and watches. */
import { isDeepStrictEqual } from 'node:util';
import type { Controller } from '../../kube/controller.ts';
import { keyOf } from '../../kube/key.ts';
import { type Permission, READ } from '../../kube/permission.ts';
import { NODES, PODS } from '../../kube/resource-types.ts';
import type { Watchable } from '../../kube/store.ts';
import type { AcceptanceCache } from '../acceptance/acceptance-cache.ts';
import { byModel, type ClusterState } from '../shared/cluster-state.ts';
import { createController, type OperatorContext } from '../shared/context.ts';
import { Evacuation, type EvacuationOptions } from './evacuation.ts';
import type { NoticedNode } from './eviction-notice.ts';
import type { NodeNotices } from './node-notices.ts';

export const EVACUATION_PERMISSIONS: readonly Permission[] = [
  // To release engine pods from their ReplicaSet, which then creates a replacement, and to delete them.
  { type: PODS, verbs: [...READ, 'patch', 'delete'] },
  // To read eviction notices of nodes. Only used for pools of spot nodes.
  { type: NODES, verbs: READ },
];

/** Dependencies that other controllers own. */
export type EvacuationDependencies = Pick<
  EvacuationOptions,
  'budget' | 'lifecycles' | 'replicas' | 'departures' | 'isIdle'
> & { acceptance: AcceptanceCache; nodes: NodeNotices };

export function setupEvacuation(
  context: OperatorContext,
  { acceptance, nodes, ...dependencies }: EvacuationDependencies,
): Controller {
  const { state, queues } = context;
  const evacuation = new Evacuation({
    ...context,
    ...dependencies,
    nodes,
    onChanged: (poolKey) => queues.routes.add(poolKey),
  });
  const controller = createController(context, 'evacuation', {
    before: (signal) => acceptance.load(signal),
    reconcile: (key, run) => evacuation.reconcile(key, run),
  });
  watch(controller, state, nodes.store);
  return controller;
}

/** Watches engine pods, their Deployments and nodes, and whether the pool uses spot nodes. */
function watch(controller: Controller, state: ClusterState, nodes: Watchable<NoticedNode>): void {
  controller.watch(state.pods.store, { map: byModel });
  controller.watch(state.deployments.store, { map: byModel });
  controller.watch(state.pools.store, {
    map: (pool) => state.models.store.byIndex('byPool', keyOf(pool)).map(keyOf),
    changed: (old, now) => old.spec.accelerator.spot !== now.spec.accelerator.spot,
  });
  controller.watch(nodes, {
    map: ({ metadata }) => state.pods.store.byIndex('byNode', metadata.name).flatMap(byModel),
    changed: (old, now) => !isDeepStrictEqual(old.notice, now.notice),
  });
}
