import type { InferencePool } from '../api/types.ts';
import { poolLabels } from './labels.ts';
import { child, type Manifest } from './manifest.ts';
import { configMapName, routerName } from './names.ts';

/** nginx configuration and Lua modules of the routers. Immutable: new content has a new name and so causes a rollout. */
export function renderRouterConfig(pool: InferencePool, files: Readonly<Record<string, string>>): Manifest {
  const name = configMapName(routerName(pool.metadata.name), files);
  return child(
    pool,
    { apiVersion: 'v1', kind: 'ConfigMap' },
    { name, labels: poolLabels('router', pool.metadata) },
    { immutable: true, data: files },
  );
}
