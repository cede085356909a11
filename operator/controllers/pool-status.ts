/** The status of an InferencePool from what a reconcile found. Pure. */
import type { InferencePoolStatus } from '../api/inference-pool.ts';
import type { InferencePool } from '../api/types.ts';
import { type ConditionUpdate, setConditions } from '../kube/conditions.ts';
import type { Deployment } from './workloads.ts';

export interface PoolView {
  pool: InferencePool;
  now: number;
  url: string;
  /** Models that the pool has accepted. */
  models: number;
  /** Accelerators that their pods hold. */
  accelerators: number;
  router?: Deployment;
  /** Absent when the pool has no managed Redis. */
  redis?: Deployment;
  /** Why nothing, or not everything, was applied. */
  refused?: { reason: string; message: string };
  /** Models that still use a pool that is being deleted, as `namespace/name`. */
  usedBy?: string[];
}

const ORDER = ['Ready', 'RouterReady', 'CacheReady', 'Reconciling', 'Stalled'];

/** Builds the whole status; times of conditions that did not change are kept. */
export function poolStatus(view: PoolView): InferencePoolStatus {
  const { pool, router } = view;
  const generation = pool.metadata.generation ?? 0;
  const updates = [...summary(view), routerCondition(view), cacheCondition(view)].map((update) => ({
    ...update,
    observedGeneration: generation,
  }));
  const { hourlyCost } = pool.spec.accelerator;
  return {
    observedGeneration: generation,
    conditions: setConditions(pool.status?.conditions, updates, { now: view.now, order: ORDER }),
    url: view.url,
    models: view.models,
    accelerators: view.accelerators,
    routerReplicas: router?.spec.replicas ?? pool.spec.router.replicas,
    readyRouterReplicas: router?.status?.readyReplicas ?? 0,
    ...(hourlyCost !== undefined && { hourlyCost: (Number(hourlyCost) * view.accelerators).toFixed(2) }),
  };
}

function summary({ pool, router, redis, refused, usedBy }: PoolView): ConditionUpdate[] {
  if (refused) return conditions('False', 'False', 'True', refused.reason, refused.message);
  if (usedBy !== undefined) {
    const some = usedBy.slice(0, 3).join(', ') + (usedBy.length > 3 ? ` and ${usedBy.length - 3} more` : '');
    return conditions(
      'False',
      'True',
      'False',
      'Deleting',
      `waits for the models that use it: ${some}; delete them or move them to another pool`,
    );
  }
  const ready = router?.status?.readyReplicas ?? 0;
  const wanted = router?.spec.replicas ?? pool.spec.router.replicas;
  if (ready === 0)
    return conditions(
      'False',
      'True',
      'False',
      'RoutersStarting',
      'waiting for the first router to become ready',
    );
  const updated = router?.status?.updatedReplicas ?? 0;
  const observed = (router?.status?.observedGeneration ?? 0) >= (router?.metadata.generation ?? 0);
  if (!observed || updated < wanted || (router?.status?.replicas ?? 0) > updated) {
    return conditions('True', 'True', 'False', 'RolloutInProgress', 'routers are being replaced');
  }
  if (ready < wanted)
    return conditions('True', 'True', 'False', 'RoutersStarting', 'some routers are not ready yet');
  if (redis && (redis.status?.readyReplicas ?? 0) === 0) {
    return conditions(
      'True',
      'True',
      'False',
      'CacheStarting',
      'the response cache is not ready yet; requests are answered without it',
    );
  }
  return conditions('True', 'False', 'False', 'RoutersReady', 'all routers are ready');
}

function routerCondition({ router }: PoolView): ConditionUpdate {
  const ready = router?.status?.readyReplicas ?? 0;
  return ready > 0
    ? { type: 'RouterReady', status: 'True', reason: 'RoutersReady', message: 'requests reach a router' }
    : { type: 'RouterReady', status: 'False', reason: 'RoutersStarting', message: 'no router is ready' };
}

function cacheCondition({ pool, redis }: PoolView): ConditionUpdate {
  const { enabled, redis: settings } = pool.spec.responseCache;
  if (!enabled)
    return { type: 'CacheReady', status: 'False', reason: 'Disabled', message: 'the response cache is off' };
  if (settings?.external)
    return {
      type: 'CacheReady',
      status: 'True',
      reason: 'External',
      message: 'the routers use the Redis of spec.responseCache.redis.external',
    };
  return (redis?.status?.readyReplicas ?? 0) > 0
    ? { type: 'CacheReady', status: 'True', reason: 'CacheReady', message: 'answers are cached' }
    : {
        type: 'CacheReady',
        status: 'False',
        reason: 'CacheStarting',
        message: 'Redis is not ready; requests are answered without it',
      };
}

type Status = 'True' | 'False';

function conditions(
  ready: Status,
  reconciling: Status,
  stalled: Status,
  reason: string,
  message: string,
): ConditionUpdate[] {
  return [
    { type: 'Ready', status: ready, reason, message },
    { type: 'Reconciling', status: reconciling, reason, message: reconciling === 'True' ? message : '' },
    { type: 'Stalled', status: stalled, reason, message: stalled === 'True' ? message : '' },
  ];
}
