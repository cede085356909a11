import type { InferencePool } from '../api/types.ts';
import { poolLabels, poolSelector } from './labels.ts';
import { child, type Manifest } from './manifest.ts';
import { routerName } from './names.ts';
import { routerPortName } from './router-url.ts';

/** The Service for clients. It only has the port of the OpenAI API, because the other ports are for use inside the cluster. */
export function renderRouterService(pool: InferencePool): Manifest {
  const { type, port, annotations } = pool.spec.router.service;
  return child(
    pool,
    { apiVersion: 'v1', kind: 'Service' },
    { name: routerName(pool.metadata.name), labels: poolLabels('router', pool.metadata), annotations },
    {
      spec: {
        type,
        selector: poolSelector('router', pool.metadata),
        ports: [{ name: routerPortName(pool), port, targetPort: 'http', protocol: 'TCP' }],
      },
    },
  );
}
