/** What CacheReady says: whether the response cache is as the spec wants it. */
import type { InferenceModel, InferencePool } from '../../api/types.ts';
import { findCondition } from '../../kube/conditions.ts';
import type { ModelView } from '../model/model-status.ts';

/** A cache that is off is as the spec wants it, of a pool as of a model: nobody should be alarmed, or wait for it. */
export const CACHE_OFF = { status: 'True', reason: 'Disabled' } as const;

/** The condition of a model, after that of its pool. */
export function modelCacheCondition(
  model: InferenceModel,
  pool: InferencePool,
): NonNullable<ModelView['cache']> {
  const enabled = pool.spec.responseCache.enabled && (model.spec.responseCache?.enabled ?? true);
  if (!enabled) return { ...CACHE_OFF, message: 'the response cache is off for this model' };
  const condition = findCondition(pool.status?.conditions ?? [], 'CacheReady');
  if (condition?.status === 'True')
    return { status: 'True', reason: 'CacheReady', message: 'answers are cached' };
  return {
    status: 'False',
    reason: 'CacheUnavailable',
    message: 'the response cache of the pool is not ready; requests are answered without it',
  };
}
