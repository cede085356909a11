/**
 * The CacheReady condition of a model: whether the response cache is in the state that the specs of the model and its
 * pool ask for.
 */
import { modelConditions } from '../../api/condition-set.ts';
import type { InferenceModel, InferencePool } from '../../api/types.ts';
import { type ConditionUpdate, isTrue } from '../../kube/conditions.ts';

const { condition } = modelConditions;

/** CacheReady of a model. It follows CacheReady of the pool unless the cache is disabled for this model. */
export function modelCacheCondition(model: InferenceModel, pool: InferencePool): ConditionUpdate {
  const enabled = pool.spec.responseCache.enabled && (model.spec.responseCache?.enabled ?? true);
  if (!enabled) return condition('CacheReady', 'Disabled', 'the response cache is disabled for this model');
  if (isTrue(pool.status?.conditions, 'CacheReady'))
    return condition('CacheReady', 'CacheReady', 'answers are cached');
  return condition('CacheReady', 'CacheUnavailable', UNAVAILABLE);
}

const UNAVAILABLE = 'the response cache of the pool is not ready; requests are answered without it';
