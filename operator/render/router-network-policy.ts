import type { InferencePool } from '../api/types.ts';
import { ROUTER_PORTS } from '../model/router-ports.ts';
import { type Labels, poolLabels, poolSelector } from './labels.ts';
import { type Cluster, child, type Manifest } from './manifest.ts';
import { routerName } from './names.ts';
import { METRICS_SCRAPERS, podsIn, tcp } from './network-peers.ts';

const OPERATOR_LABELS: Labels = { 'app.kubernetes.io/name': 'vllm-operator' };

/** Anyone may send requests. The admin port is for the operator, and the metrics port for scrapers. */
export function renderRouterNetworkPolicy(pool: InferencePool, cluster: Cluster): Manifest {
  const operator = podsIn(cluster.operatorNamespace, cluster.operatorLabels ?? OPERATOR_LABELS);
  return child(
    pool,
    { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy' },
    { name: routerName(pool.metadata.name), labels: poolLabels('router', pool.metadata) },
    {
      spec: {
        podSelector: { matchLabels: poolSelector('router', pool.metadata) },
        policyTypes: ['Ingress'],
        ingress: [
          { ports: tcp(ROUTER_PORTS.http) },
          { from: [operator], ports: tcp(ROUTER_PORTS.admin) },
          { from: [METRICS_SCRAPERS], ports: tcp(ROUTER_PORTS.metrics) },
        ],
      },
    },
  );
}
