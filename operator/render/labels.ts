/** Labels of the operator's objects. `app.kubernetes.io/instance` is not used, because Argo CD tracks applications with it. */
import type { ObjectMeta } from '../kube/object.ts';
import { labelValue } from './names.ts';

export const MODEL_LABEL = 'vllm-operator.dev/model';
export const POOL_LABEL = 'vllm-operator.dev/pool';
export const POOL_NAMESPACE_LABEL = 'vllm-operator.dev/pool-namespace';
export const COMPONENT_LABEL = 'app.kubernetes.io/component';

/** Set on engine pods that were released from their ReplicaSet because of an eviction notice. */
export const EVACUATING_LABEL = 'vllm-operator.dev/evacuating';

/** Pods in namespaces with this label set to `true` may scrape metrics of engines and routers. */
export const METRICS_SCRAPER_LABEL = 'vllm-operator.dev/metrics-scraper';

export type Labels = Record<string, string>;

/** Name and namespace of an owner. */
export type OwnerMeta = Pick<ObjectMeta, 'name' | 'namespace'>;

function common(name: string, component: string, pool: OwnerMeta): Labels {
  return {
    'app.kubernetes.io/name': name,
    [COMPONENT_LABEL]: component,
    'app.kubernetes.io/managed-by': 'vllm-operator',
    'app.kubernetes.io/part-of': labelValue(pool.name),
    [POOL_LABEL]: labelValue(pool.name),
    [POOL_NAMESPACE_LABEL]: pool.namespace ?? 'default',
  };
}

/** Selects the engine pods of a model in its namespace. Immutable in the Deployment, so it only contains what never changes. */
export function engineSelector(model: OwnerMeta): Labels {
  return { [MODEL_LABEL]: labelValue(model.name), [COMPONENT_LABEL]: 'engine' };
}

/** Labels of every child of a model. */
export function engineLabels(model: OwnerMeta, pool: OwnerMeta): Labels {
  return { ...common('vllm', 'engine', pool), ...engineSelector(model) };
}

/** Selects the router or Redis pods of a pool in its namespace. */
export function poolSelector(component: 'router' | 'cache', pool: OwnerMeta): Labels {
  return { [POOL_LABEL]: labelValue(pool.name), [COMPONENT_LABEL]: component };
}

const NAMES = { router: 'vllm-router', cache: 'redis', grants: 'vllm-pool' } as const;

/** Labels of the objects of a pool: routers, Redis or records. */
export function poolLabels(component: keyof typeof NAMES, pool: OwnerMeta): Labels {
  return common(NAMES[component], component, pool);
}

/**
 * Labels of the records of a pool's usage. They are not labelled as managed by the operator, whose caches would otherwise
 * receive each of them every minute.
 */
export function usageLabels(pool: OwnerMeta): Labels {
  const { 'app.kubernetes.io/managed-by': _, ...labels } = common('vllm-pool', 'usage', pool);
  return labels;
}
