import type { InferencePool } from '../api/types.ts';
import { poolLabels } from './labels.ts';
import { child, type Manifest } from './manifest.ts';
import { routerName } from './names.ts';
import { routerPortName } from './router-url.ts';

/** An Ingress to the routers, if the pool enables it. */
export function renderRouterIngress(pool: InferencePool): Manifest[] {
  const ingress = pool.spec.router.ingress;
  if (ingress === undefined) return [];
  const name = routerName(pool.metadata.name);
  const { className, host, tlsSecretName, annotations } = ingress;
  const backend = { service: { name, port: { name: routerPortName(pool) } } };
  return [
    child(
      pool,
      { apiVersion: 'networking.k8s.io/v1', kind: 'Ingress' },
      { name, labels: poolLabels('router', pool.metadata), annotations },
      {
        spec: {
          ...(className === undefined ? {} : { ingressClassName: className }),
          ...(tlsSecretName === undefined ? {} : { tls: [{ hosts: [host], secretName: tlsSecretName }] }),
          rules: [{ host, http: { paths: [{ path: '/', pathType: 'Prefix', backend }] } }],
        },
      },
    ),
  ];
}
