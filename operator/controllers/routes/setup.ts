/** Sets up the controllers of route tables and their snapshots: permissions, dependencies and watches. */
import type { InferenceModel } from '../../api/types.ts';
import type { Controller } from '../../kube/controller.ts';
import { keyOf } from '../../kube/key.ts';
import type { KubeObject } from '../../kube/object.ts';
import { controllerOf } from '../../kube/owner-reference.ts';
import { OWN, type Permission, READ } from '../../kube/permission.ts';
import { CONFIG_MAPS, ENDPOINT_SLICES, PODS, REPLICA_SETS } from '../../kube/resource-types.ts';
import { poolsThatAdmit, poolsWithKeysOf, watchAdmission } from '../shared/admitted-namespaces.ts';
import { byModel, type ClusterState, poolKeys, routerPoolKeys } from '../shared/cluster-state.ts';
import { createController, type OperatorContext } from '../shared/context.ts';
import { isFinished, isReady, type Pod } from '../shared/workloads.ts';
import { RoutesReconciler, type RoutesReconcilerOptions } from './routes-reconciler.ts';
import { SnapshotWriter } from './snapshot-writer.ts';

export const ROUTES_PERMISSIONS: readonly Permission[] = [
  { type: ENDPOINT_SLICES, verbs: READ },
  { type: PODS, verbs: READ },
  // Metadata only, to verify that a router pod belongs to the pool's Deployment.
  { type: REPLICA_SETS, verbs: READ },
  // Written: route snapshots and grant records. Read: API keys.
  { type: CONFIG_MAPS, verbs: OWN },
];

/** Dependencies that other controllers own. */
export type RoutesDependencies = Pick<
  RoutesReconcilerOptions,
  'resolutions' | 'acceptance' | 'ledger' | 'demand' | 'lifecycles' | 'departures' | 'coldStarts'
>;

export function setupRoutes(
  context: OperatorContext,
  dependencies: RoutesDependencies,
): { controllers: Controller[]; routes: RoutesReconciler } {
  const { state, queues } = context;
  const { acceptance } = dependencies;
  const snapshots = new SnapshotWriter({ ...context, onNew: (poolKey) => queues.snapshots.add(poolKey) });
  const routes = new RoutesReconciler({
    ...context,
    ...dependencies,
    snapshots,
    onRouted: (modelKey) => queues.inferencemodel.add(modelKey),
  });
  const tables = createController(context, 'routes', {
    before: (signal) => acceptance.load(signal),
    reconcile: (key, run) => routes.reconcile(key, run),
  });
  const written = createController(context, 'snapshots', {
    concurrency: 2,
    reconcile: (key, run) => snapshots.reconcile(key, run),
  });
  watchForRoutes(tables, state);
  return { controllers: [tables, written], routes };
}

/** Watches everything that the route table of a pool depends on, and its routers. */
export function watchForRoutes(controller: Controller, state: ClusterState): void {
  controller.watch(state.pools.store);
  const ofAdmitted = (model: InferenceModel) => poolsThatAdmit(state, model);
  controller.watch(state.models.store, { map: ofAdmitted });
  const ofModel = (object: KubeObject) =>
    byModel(object).flatMap((key) => {
      const model = state.models.store.get(key);
      return model ? ofAdmitted(model) : [];
    });
  controller.watch(state.endpointSlices.store, { map: ofModel });
  controller.watch(state.services.store, { map: (service) => [...poolKeys(service), ...ofModel(service)] });
  // The address of an endpoint only counts if it belongs to a pod of the model.
  controller.watch(state.pods.store, {
    map: (pod) => (pod.status?.podIP === undefined ? [] : ofModel(pod)),
    changed: isElsewhere,
  });
  controller.watch(state.pods.store, {
    map: routerPoolKeys,
    changed: (old, now) => isElsewhere(old, now) || isReady(old) !== isReady(now) || isReowned(old, now),
  });
  controller.watch(state.deployments.store, { map: routerPoolKeys, changed: isReowned });
  controller.watch(state.replicaSets.store, { map: routerPoolKeys, changed: isReowned });
  controller.watch(state.configMaps.store, { map: poolKeys });
  watchAdmission(controller, state);
  controller.watch(state.apiKeys.store, {
    map: ({ metadata }) => poolsWithKeysOf(state, metadata.namespace).map(keyOf),
  });
}

function isElsewhere(old: Pod, now: Pod): boolean {
  return (
    old.status?.podIP !== now.status?.podIP ||
    isFinished(old) !== isFinished(now) ||
    old.metadata.deletionTimestamp !== now.metadata.deletionTimestamp
  );
}

function isReowned(old: KubeObject, now: KubeObject): boolean {
  return controllerOf(old)?.uid !== controllerOf(now)?.uid;
}
