/** Sets up the scaling controller: its permissions, dependencies and watches. */
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

/** More workers than the model controller has (8), so that wakes get a larger share of a slow API server than status writes. */
const WAKES_AT_ONCE = 32;

/** Pods that come and go together, or of a team that makes and deletes some, cost one arbitration of each waiting model. */
const ARBITRATE_AFTER_MS = 100;

/** Dependencies that other controllers own. */
export type ScalingDependencies = Pick<
  ScalingReconcilerOptions,
  | 'resolutions'
  | 'acceptance'
  | 'lifecycles'
  | 'replicas'
  | 'budget'
  | 'budgets'
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
 * Watches models, their Deployments and pods, and the capacity of pools. The routers report demand. A pod that appears
 * or disappears also concerns the models that wait for its accelerators.
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
    afterMs: ARBITRATE_AFTER_MS,
  });
  controller.watch(state.pools.store, {
    map: (pool) => state.models.store.byIndex('byPool', keyOf(pool)).map(keyOf),
    changed: (old, now) => old.metadata.generation !== now.metadata.generation,
  });
}

/** Whether the budget counts the pod differently now. Every waiting model then triggers an arbitration of the whole pool. */
function holdsOtherwise(old: Pod, now: Pod): boolean {
  return (
    old.status?.startTime !== now.status?.startTime ||
    isFinished(old) !== isFinished(now) ||
    isReleased(old) !== isReleased(now) ||
    old.metadata.deletionTimestamp !== now.metadata.deletionTimestamp
  );
}
