import type { InferencePool } from '../api/types.ts';
import { poolLabels } from './labels.ts';
import { child, type Manifest } from './manifest.ts';
import { routerName } from './names.ts';

/** The HorizontalPodAutoscaler of the routers, by the CPU of their container, so that sidecars do not count. */
export function renderRouterAutoscaler(pool: InferencePool): Manifest[] {
  const { autoscaling } = pool.spec.router;
  if (autoscaling?.mode !== 'HPA') return [];
  const { minReplicas, maxReplicas, targetCPUUtilization } = autoscaling;
  const name = routerName(pool.metadata.name);
  const target = { type: 'Utilization', averageUtilization: targetCPUUtilization };
  return [
    child(
      pool,
      { apiVersion: 'autoscaling/v2', kind: 'HorizontalPodAutoscaler' },
      { name, labels: poolLabels('router', pool.metadata) },
      {
        spec: {
          scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name },
          minReplicas,
          maxReplicas,
          metrics: [
            { type: 'ContainerResource', containerResource: { name: 'cpu', container: 'router', target } },
          ],
        },
      },
    ),
  ];
}
