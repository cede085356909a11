/** Labels of what the operator makes. `app.kubernetes.io/instance` is left out: Argo CD tracks its applications by it. */
import type { ObjectMeta } from '../kube/object.ts';
import { labelValue } from './names.ts';

export const MODEL_LABEL = 'vllm-operator.dev/model';
export const POOL_LABEL = 'vllm-operator.dev/pool';
export const POOL_NAMESPACE_LABEL = 'vllm-operator.dev/pool-namespace';
export const COMPONENT_LABEL = 'app.kubernetes.io/component';

/** On engine pods that were taken out of their ReplicaSet because their end is announced. */
export const EVACUATING_LABEL = 'vllm-operator.dev/evacuating';

/** Namespaces with this label set to `true` may scrape metrics of engines and routers. */
export const METRICS_SCRAPER_LABEL = 'vllm-operator.dev/metrics-scraper';

export type Labels = Record<string, string>;

/** The name of an owner and its namespace. */
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

/** Selects the engine pods of a model in its namespace. Immutable on the Deployment, so it holds nothing that can change. */
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

/** Labels of the routers, of Redis, or of the records of a pool and of what belongs to them. */
export function poolLabels(component: keyof typeof NAMES, pool: OwnerMeta): Labels {
  return common(NAMES[component], component, pool);
}
