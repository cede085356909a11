/** Sets up the InferenceModel controller: its permissions, dependencies and watches. */
import { isDeepStrictEqual } from 'node:util';
import { INFERENCE_MODELS } from '../../api/types.ts';
import { findCondition } from '../../kube/conditions.ts';
import type { Controller } from '../../kube/controller.ts';
import { keyOf } from '../../kube/key.ts';
import { ownerKeys } from '../../kube/owner-keys.ts';
import { OWN, type Permission, READ } from '../../kube/permission.ts';
import { HORIZONTAL_POD_AUTOSCALERS, PERSISTENT_VOLUME_CLAIMS } from '../../kube/resource-types.ts';
import { createApplier } from '../shared/children.ts';
import { byModel, type ClusterState } from '../shared/cluster-state.ts';
import { createController, type OperatorContext } from '../shared/context.ts';
import { scaleTarget } from '../shared/scale-target.ts';
import { type UsageViewOptions, usageView } from '../usage/usage-view.ts';
import { ModelReconciler, type ModelReconcilerOptions } from './model-reconciler.ts';

export const MODEL_PERMISSIONS: readonly Permission[] = [
  { type: INFERENCE_MODELS, verbs: READ },
  { type: INFERENCE_MODELS, subresource: 'status', verbs: ['patch'] },
  // Needed to set blockOwnerDeletion on children where the admission plugin OwnerReferencesPermissionEnforcement is enabled.
  { type: INFERENCE_MODELS, subresource: 'finalizers', verbs: ['update'] },
  { type: PERSISTENT_VOLUME_CLAIMS, verbs: OWN },
  { type: HORIZONTAL_POD_AUTOSCALERS, verbs: OWN },
];

/** Dependencies that other controllers own. */
export type ModelDependencies = Pick<
  ModelReconcilerOptions,
  | 'assessments'
  | 'acceptance'
  | 'replicas'
  | 'modes'
  | 'bounds'
  | 'routeStateOf'
  | 'coldStarts'
  | 'mounts'
  | 'lifecycles'
  | 'budget'
  | 'budgets'
  | 'prices'
  | 'shownTiers'
> &
  UsageViewOptions;

export function setupModels(context: OperatorContext, dependencies: ModelDependencies): Controller {
  const { state, queues } = context;
  const reconciler = new ModelReconciler({
    ...context,
    ...dependencies,
    usageOf: usageView(dependencies),
    onMountFailure: (key) => queues.scaling.add(key),
    applier: createApplier(context, [
      { type: PERSISTENT_VOLUME_CLAIMS, store: state.volumeClaims.store },
      { type: HORIZONTAL_POD_AUTOSCALERS, store: state.autoscalers.store },
    ]),
  });
  const controller = createController(context, 'inferencemodel', {
    concurrency: 8,
    waitsForOwnWrites: true,
    before: (signal) => dependencies.acceptance.load(signal),
    reconcile: (key, run) => reconciler.reconcile(key, run),
  });
  watchForModels(controller, state);
  return controller;
}

/** Starting or stopping changes a Deployment and its pods several times within milliseconds. One status write covers them. */
const STATUS_DELAY_MS = 50;

/**
 * Watches models, their children and pods, their pool and their namespace. Changed verdicts are queued by the
 * acceptance cache. Models are only looked up by indexes, because a team may have as many models as autoscalers or claims.
 */
export function watchForModels(controller: Controller, state: ClusterState): void {
  const owners = ownerKeys('InferenceModel');
  controller.watch(state.models.store);
  controller.watch(state.pools.store, {
    map: (pool) => state.models.store.byIndex('byPool', keyOf(pool)).map(keyOf),
    changed: (old, now) =>
      old.metadata.generation !== now.metadata.generation ||
      old.metadata.deletionTimestamp !== now.metadata.deletionTimestamp ||
      ['CacheReady', 'RouterReady'].some(
        (type) =>
          findCondition(old.status?.conditions, type)?.status !==
          findCondition(now.status?.conditions, type)?.status,
      ),
  });
  // What its labels admit tells of itself. There may be as many namespaces as models.
  controller.watch(state.namespaces.store, {
    map: ({ metadata }) => state.models.store.byIndex('byNamespace', metadata.name).map(keyOf),
    changed: (old, now) => old.metadata.deletionTimestamp !== now.metadata.deletionTimestamp,
  });
  controller.watch(state.pods.store, { map: byModel, afterMs: STATUS_DELAY_MS });
  controller.watch(state.otherAutoscalers.store, {
    map: (autoscaler) =>
      scaleTarget(autoscaler).flatMap((target) =>
        state.models.store.byIndex('byScaleTarget', target).map(keyOf),
      ),
    changed: (old, now) => !isDeepStrictEqual(scaleTarget(old), scaleTarget(now)),
  });
  controller.watch(state.userClaims.store, {
    map: (claim) => state.models.store.byIndex('byClaim', keyOf(claim)).map(keyOf),
    changed: (old, now) => old.metadata.uid !== now.metadata.uid,
  });
  for (const reflector of [
    state.deployments,
    state.services,
    state.serviceAccounts,
    state.disruptionBudgets,
    state.networkPolicies,
    state.volumeClaims,
    state.autoscalers,
  ]) {
    controller.watch(reflector.store, { map: owners, afterMs: STATUS_DELAY_MS });
  }
}
