/** Which change of which object wakes which key. */
import { isDeepStrictEqual } from 'node:util';
import { findCondition } from '../kube/conditions.ts';
import type { Controller } from '../kube/controller.ts';
import { type Key, keyOf } from '../kube/key.ts';
import type { KubeObject } from '../kube/object.ts';
import { controllerOf } from '../kube/owner-reference.ts';
import type { Watchable } from '../kube/store.ts';
import { claimNames } from '../model/shared-claims.ts';
import type { NoticedNode } from './evacuation/eviction-notice.ts';
import { modelKeysOf, scaleTarget } from './scaling/other-autoscalers.ts';
import {
  byModel,
  type ClusterState,
  cachePoolKeys,
  poolKeyOf,
  poolKeys,
  poolKeysOfModel,
  routerPoolKeys,
} from './shared/cluster-state.ts';
import { isFinished, isReady, type Pod } from './shared/workloads.ts';

type OwnerKeys = (object: KubeObject) => Key[];

/** A start or a stop changes a Deployment and its pods several times within milliseconds: the status tells of it once. */
const TELL_AFTER_MS = 50;

/** Models: themselves, their children and pods, their pool, and their namespace. Verdicts that change tell by themselves. */
export function watchForModels(controller: Controller, state: ClusterState, owners: OwnerKeys): void {
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
  controller.watch(state.namespaces.store, {
    map: (namespace) =>
      state.models.store
        .list()
        .filter((model) => model.metadata.namespace === namespace.metadata.name)
        .map(keyOf),
  });
  controller.watch(state.pods.store, { map: byModel, afterMs: TELL_AFTER_MS });
  controller.watch(state.otherAutoscalers.store, {
    map: (autoscaler) => modelKeysOf(state, autoscaler),
    changed: (old, now) => !isDeepStrictEqual(scaleTarget(old), scaleTarget(now)),
  });
  controller.watch(state.userClaims.store, {
    map: ({ metadata: { namespace = '', name } }) =>
      state.models.store
        .byIndex('byNamespace', namespace)
        .filter((model) => claimNames(model.spec).includes(name))
        .map(keyOf),
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
    controller.watch(reflector.store, { map: owners, afterMs: TELL_AFTER_MS });
  }
}

/** Many models wake or sleep at once, and the pool counts them: it is enough to count when that is over. */
const COUNT_AFTER_MS = 200;

/** Pools: themselves, their children, and the models that use them. */
export function watchForPools(controller: Controller, state: ClusterState, owners: OwnerKeys): void {
  controller.watch(state.pools.store);
  controller.watch(state.models.store, { map: (model) => [poolKeyOf(model)], afterMs: COUNT_AFTER_MS });
  controller.watch(state.pods.store, {
    map: (pod) => [...routerPoolKeys(pod), ...cachePoolKeys(pod)],
    afterMs: COUNT_AFTER_MS,
  });
  // Its deletion is the pool's.
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
  ]) {
    controller.watch(reflector.store, { map: owners });
  }
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

/** Routes of a pool: whatever ends up in its route table, and its routers. */
export function watchForRoutes(controller: Controller, state: ClusterState): void {
  controller.watch(state.pools.store);
  controller.watch(state.models.store, { map: (model) => [poolKeyOf(model)] });
  const ofModel = (object: KubeObject) => poolKeysOfModel(state, object);
  controller.watch(state.endpointSlices.store, { map: ofModel });
  controller.watch(state.services.store, { map: (service) => [...poolKeys(service), ...ofModel(service)] });
  // The addresses of engines count only if they are of their model's pods.
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
  controller.watch(state.namespaces.store, { map: () => state.pools.store.keys() });
  controller.watch(state.apiKeys.store, {
    map: () => state.pools.store.keys(),
  });
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
  controller.watch(state.pods.store, {
    map: (pod) => [...byModel(pod), ...poolKeysOfModel(state, pod).flatMap(waiting)],
  });
  controller.watch(state.pools.store, {
    map: (pool) => state.models.store.byIndex('byPool', keyOf(pool)).map(keyOf),
    changed: (old, now) => old.metadata.generation !== now.metadata.generation,
  });
}

/** Engines whose end is announced: pods, what their number should be, their nodes, and whether nodes matter to the pool. */
export function watchForEvacuation(
  controller: Controller,
  state: ClusterState,
  nodes: Watchable<NoticedNode>,
): void {
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
