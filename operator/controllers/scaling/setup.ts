/** The controller that scales models: what it watches, what it may do, what it is made of. */
import type { Controller } from '../../kube/controller.ts';
import { type Key, keyOf } from '../../kube/key.ts';
import { OWN, type Permission } from '../../kube/permission.ts';
import { DEPLOYMENTS } from '../../kube/resource-types.ts';
import { byModel, type ClusterState, poolKeysOfModel } from '../shared/cluster-state.ts';
import { createController, type OperatorContext } from '../shared/context.ts';
import { isFinished, isReleased, type Pod } from '../shared/workloads.ts';
import { ScalingReconciler, type ScalingReconcilerOptions } from './scaling-reconciler.ts';

export const SCALING_PERMISSIONS: readonly Permission[] = [
  { type: DEPLOYMENTS, verbs: OWN },
  { type: DEPLOYMENTS, subresource: 'scale', verbs: ['patch'] },
];

/** Where the API server is slow, held requests have more of it than statuses, which eight workers write. */
const WAKES_AT_ONCE = 32;

/** What others give to this controller. */
export type ScalingDependencies = Pick<
  ScalingReconcilerOptions,
  | 'resolutions'
  | 'acceptance'
  | 'lives'
  | 'replicas'
  | 'budget'
  | 'demand'
  | 'modes'
  | 'bounds'
  | 'coldStarts'
  | 'mountFailure'
  | 'heldBackSince'
>;

export function setupScaling(context: OperatorContext, dependencies: ScalingDependencies): Controller {
  const { state, queues } = context;
  const { acceptance, budget } = dependencies;
  const reconciler = new ScalingReconciler({
    ...context,
    ...dependencies,
    onChanged: (modelKey, poolKey) => {
      queues.inferencemodel.add(modelKey);
      queues.routes.add(poolKey);
    },
    onTouched: (keys) => {
      for (const key of keys) {
        queues.scaling.add(key);
        queues.inferencemodel.add(key);
      }
    },
  });
  const controller = createController(context, 'scaling', {
    concurrency: WAKES_AT_ONCE,
    before: (signal) => acceptance.load(signal),
    reconcile: (key, run) => reconciler.reconcile(key, run),
  });
  watchForScaling(controller, state, (poolKey) => budget.waiting(poolKey));
  return controller;
}

/**
 * Scaling of a model: itself, its Deployment and pods, and its pool's capacity. Demand comes from the routers. Pods that
 * come or go also concern the models that wait for their accelerators.
 */
export function watchForScaling(
  controller: Controller,
  state: ClusterState,
  waiting: (poolKey: Key) => Key[],
): void {
  controller.watch(state.models.store);
  controller.watch(state.deployments.store, { map: byModel });
  controller.watch(state.pods.store, { map: byModel });
  controller.watch(state.pods.store, {
    map: (pod) => poolKeysOfModel(state, pod).flatMap(waiting),
    changed: holdsOtherwise,
  });
  controller.watch(state.pools.store, {
    map: (pool) => state.models.store.byIndex('byPool', keyOf(pool)).map(keyOf),
    changed: (old, now) => old.metadata.generation !== now.metadata.generation,
  });
}

/** Whether the budget counts the pod in another way. Each who waits asks for a decision about the whole pool then. */
function holdsOtherwise(old: Pod, now: Pod): boolean {
  return (
    old.status?.startTime !== now.status?.startTime ||
    isFinished(old) !== isFinished(now) ||
    isReleased(old) !== isReleased(now) ||
    old.metadata.deletionTimestamp !== now.metadata.deletionTimestamp
  );
}
