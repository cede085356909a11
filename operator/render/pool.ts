import type { InferencePool } from '../api/types.ts';
import { renderDisruptionBudget } from './disruption-budget.ts';
import { poolLabels, poolSelector } from './labels.ts';
import type { Cluster, Manifest } from './manifest.ts';
import { routerName } from './names.ts';
import { hasManagedRedis, renderRedis } from './redis.ts';
import { renderRouterAutoscaler } from './router-autoscaler.ts';
import { renderRouterConfig } from './router-config.ts';
import { renderRouterDeployment } from './router-deployment.ts';
import { renderRouterIngress } from './router-ingress.ts';
import { renderRouterNetworkPolicy } from './router-network-policy.ts';
import { renderRouterService } from './router-service.ts';
import { renderServiceAccount } from './service-account.ts';

export interface PoolInput {
  pool: InferencePool;
  cluster: Cluster;
  /** Content of the routers' ConfigMap by file name. */
  routerFiles: Readonly<Record<string, string>>;
  /** SHA-256 of the Redis password in lower-case hex. Only used if the operator runs the Redis. */
  redis?: { aclHash: string };
  /** Whether the Deployment of the routers exists. Something else may have scaled it. */
  routersExist?: boolean;
}

/** All objects of a pool, in apply order: Redis first, so that routers find it. */
export function renderPool({
  pool,
  cluster,
  routerFiles,
  redis,
  routersExist = false,
}: PoolInput): Manifest[] {
  const name = routerName(pool.metadata.name);
  const labels = poolLabels('router', pool.metadata);
  const config = renderRouterConfig(pool, routerFiles);
  return [
    ...(redis !== undefined && hasManagedRedis(pool) ? renderRedis(pool, redis.aclHash, cluster.images) : []),
    renderServiceAccount(pool, name, labels),
    config,
    renderRouterNetworkPolicy(pool, cluster),
    renderRouterService(pool),
    ...renderRouterIngress(pool),
    renderRouterDeployment(pool, cluster, { configMap: config.metadata.name, exists: routersExist }),
    ...renderRouterAutoscaler(pool),
    renderDisruptionBudget(pool, name, labels, poolSelector('router', pool.metadata)),
  ];
}
