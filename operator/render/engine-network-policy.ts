import type { InferenceModel, InferencePool } from '../api/types.ts';
import { ENGINE_PORT } from './engine-lifecycle.ts';
import { engineLabels, engineSelector, poolSelector } from './labels.ts';
import { child, type Manifest } from './manifest.ts';
import { engineName } from './names.ts';
import { METRICS_SCRAPERS, podsIn, tcp } from './network-peers.ts';

/** Only the pool's routers and metrics scrapers may reach the engines, because vLLM's API has no authentication. */
export function renderEngineNetworkPolicy(pool: InferencePool, model: InferenceModel): Manifest {
  const routers = podsIn(pool.metadata.namespace ?? 'default', poolSelector('router', pool.metadata));
  return child(
    model,
    { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy' },
    { name: engineName(model.metadata.name), labels: engineLabels(model.metadata, pool.metadata) },
    {
      spec: {
        podSelector: { matchLabels: engineSelector(model.metadata) },
        policyTypes: ['Ingress'],
        ingress: [{ from: [routers, METRICS_SCRAPERS], ports: tcp(ENGINE_PORT) }],
      },
    },
  );
}
