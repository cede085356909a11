/** Computes the status of an InferencePool from what a reconcile found. Pure. */
import { poolConditions } from '../../api/condition-set.ts';
import type { PoolReason } from '../../api/conditions.ts';
import type { InferencePoolStatus } from '../../api/inference-pool.ts';
import type { UsageStatus } from '../../api/status.ts';
import type { InferencePool } from '../../api/types.ts';
import { type ConditionUpdate, setConditions } from '../../kube/conditions.ts';
import { decimalText } from '../../values/decimal-text.ts';
import type { WorkloadProblem } from '../shared/workload-problem.ts';
import type { Deployment } from '../shared/workloads.ts';

export interface PoolView {
  pool: InferencePool;
  now: number;
  url: string;
  /** Number of models that the pool has accepted. */
  models: number;
  /** Number of accelerators that their pods hold. */
  accelerators: number;
  /** Their price per hour, where it is not the same for all. */
  hourlyCost?: number;
  router?: Deployment;
  /** Absent when the pool has no managed Redis. */
  redis?: Deployment;
  /** Why router pods do not become ready. */
  routerProblem?: WorkloadProblem<'RouterCrashed'>;
  cacheProblem?: WorkloadProblem<'CacheCrashed'>;
  /** Why the apply failed, and whether the user has to change something. */
  refused?: { reason: PoolReason; message: string; needsUser: boolean };
  /** Models that still use a pool that is being deleted, as `namespace/name`. */
  usedBy?: string[];
  /** What its models used; absent if this process has not accounted anything yet. */
  usage?: UsageStatus;
}

const { settled, reconciling, stalled, condition } = poolConditions;

/** Builds the whole status. Conditions that did not change keep their transition time. */
export function poolStatus(view: PoolView): InferencePoolStatus {
  const { pool, router } = view;
  const generation = pool.metadata.generation ?? 0;
  const updates = [...summary(view), routerCondition(view), cacheCondition(view)].map((update) => ({
    ...update,
    observedGeneration: generation,
  }));
  const { hourlyCost } = pool.spec.accelerator;
  const usage = view.usage ?? pool.status?.usage;
  return {
    observedGeneration: generation,
    conditions: setConditions(pool.status?.conditions, updates, {
      now: view.now,
      order: poolConditions.order,
    }),
    url: view.url,
    models: view.models,
    accelerators: view.accelerators,
    routerReplicas: router?.spec.replicas ?? pool.spec.router.replicas,
    readyRouterReplicas: router?.status?.readyReplicas ?? 0,
    ...(hourlyCost !== undefined && {
      hourlyCost: decimalText(view.hourlyCost ?? Number(hourlyCost) * view.accelerators, 2),
    }),
    ...(usage && { usage }),
  };
}

function summary(view: PoolView): ConditionUpdate[] {
  const { pool, router, redis, refused, usedBy, routerProblem, cacheProblem } = view;
  if (usedBy !== undefined) {
    const some = usedBy.slice(0, 3).join(', ') + (usedBy.length > 3 ? ` and ${usedBy.length - 3} more` : '');
    return reconciling(
      'False',
      'Deleting',
      `still used by models: ${some}; delete them or move them to another pool`,
    );
  }
  if (refused) {
    return refused.needsUser
      ? stalled(refused.reason, refused.message)
      : reconciling('False', refused.reason, refused.message);
  }
  const ready = router?.status?.readyReplicas ?? 0;
  const wanted = router?.spec.replicas ?? pool.spec.router.replicas;
  if (routerProblem?.needsUser) return stalled(routerProblem.reason, routerProblem.message);
  if (routerProblem && ready === 0) return reconciling('False', routerProblem.reason, routerProblem.message);
  if (ready === 0)
    return reconciling('False', 'RoutersStarting', 'waiting for the first router to become ready');
  const updated = router?.status?.updatedReplicas ?? 0;
  const observed = (router?.status?.observedGeneration ?? 0) >= (router?.metadata.generation ?? 0);
  if (!observed || updated < wanted || (router?.status?.replicas ?? 0) > updated) {
    const { reason, message } = routerProblem ?? { reason: 'RolloutInProgress', message: ROLLING };
    return reconciling('False', reason, message);
  }
  if (ready < wanted) {
    return routerProblem
      ? reconciling('True', 'Degraded', `${routerProblem.reason}: ${routerProblem.message}`)
      : reconciling('True', 'RoutersStarting', 'some routers are not ready yet');
  }
  if (redis && (redis.status?.readyReplicas ?? 0) === 0) {
    if (!cacheProblem) return reconciling('True', 'CacheStarting', NO_CACHE);
    const { reason, needsUser } = cacheProblem;
    const text = `${cacheProblem.message}. Requests are answered without the cache`;
    return needsUser ? stalled(reason, text) : reconciling('True', 'Degraded', `${reason}: ${text}`);
  }
  return settled('RoutersReady', 'all routers are ready');
}

const ROLLING = 'routers are being replaced; the previous ones keep serving';
const NO_CACHE = 'the response cache is not ready yet; requests are answered without it';

function routerCondition({ router, routerProblem }: PoolView): ConditionUpdate {
  if ((router?.status?.readyReplicas ?? 0) > 0)
    return condition('RouterReady', 'RoutersReady', 'requests reach a router');
  const { reason, message } = routerProblem ?? { reason: 'RoutersStarting', message: 'no router is ready' };
  return condition('RouterReady', reason, message);
}

function cacheCondition({ pool, redis, cacheProblem }: PoolView): ConditionUpdate {
  const { enabled, redis: settings } = pool.spec.responseCache;
  if (!enabled) return condition('CacheReady', 'Disabled', 'the response cache is disabled');
  if (settings?.external)
    return condition(
      'CacheReady',
      'External',
      'the routers use the Redis of spec.responseCache.redis.external',
    );
  if ((redis?.status?.readyReplicas ?? 0) > 0)
    return condition('CacheReady', 'CacheReady', 'answers are cached');
  const { reason, message } = cacheProblem ?? {
    reason: 'CacheStarting',
    message: 'Redis is not ready; requests are answered without it',
  };
  return condition('CacheReady', reason, message);
}
