import type { InferencePool } from '../api/types.ts';
import { poolLabels } from './labels.ts';
import { child, type Manifest } from './manifest.ts';
import { configMapName, routerName } from './names.ts';

/** nginx configuration and Lua modules of the routers. Immutable: other content has another name, and so rolls the routers. */
export function renderRouterConfig(pool: InferencePool, files: Readonly<Record<string, string>>): Manifest {
  const name = configMapName(routerName(pool.metadata.name), files);
  return child(
    pool,
    { apiVersion: 'v1', kind: 'ConfigMap' },
    { name, labels: poolLabels('router', pool.metadata) },
    { immutable: true, data: files },
  );
}
