import type { InferenceModel, InferencePool } from '../api/types.ts';
import { ENGINE_PORT } from './engine-lifecycle.ts';
import { engineLabels, engineSelector } from './labels.ts';
import { child, type Manifest } from './manifest.ts';
import { engineName } from './names.ts';

/** The Service of a model. Routers get the engines from its EndpointSlices and fall back to its address. */
export function renderEngineService(pool: InferencePool, model: InferenceModel): Manifest {
  return child(
    model,
    { apiVersion: 'v1', kind: 'Service' },
    { name: engineName(model.metadata.name), labels: engineLabels(model.metadata, pool.metadata) },
    {
      spec: {
        type: 'ClusterIP',
        selector: engineSelector(model.metadata),
        ports: [{ name: 'http', port: ENGINE_PORT, targetPort: 'http', protocol: 'TCP' }],
      },
    },
  );
}
