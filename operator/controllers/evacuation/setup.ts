/** The controller that takes engines off nodes that go: what it watches, what it may do, what it is made of. */
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
import { NodeNotices } from './node-notices.ts';

export const EVACUATION_PERMISSIONS: readonly Permission[] = [
  // Engines are taken out of their ReplicaSet, so that it makes another first, and deleted.
  { type: PODS, verbs: [...READ, 'patch', 'delete'] },
  // What announces that a node goes. Read only for pools of spot nodes, and not needed otherwise.
  { type: NODES, verbs: READ },
];

/** What others give to this controller. */
export type EvacuationDependencies = Pick<
  EvacuationOptions,
  'budget' | 'lives' | 'replicas' | 'departures' | 'isIdle'
> & { acceptance: AcceptanceCache };

export function setupEvacuation(
  context: OperatorContext,
  { acceptance, ...dependencies }: EvacuationDependencies,
): { controller: Controller; nodes: NodeNotices } {
  const { state, queues, client, log, registry } = context;
  const nodes = new NodeNotices({ client, pools: state.pools.store, log, registry });
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
  return { controller, nodes };
}

/** Engines whose end is announced: pods, what their number should be, their nodes, and whether nodes matter to the pool. */
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
