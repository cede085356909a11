import type { InferenceModel, InferencePool } from '../api/types.ts';
import { canonicalQuantity } from '../values/quantity.ts';
import { engineLabels } from './labels.ts';
import { child, type Manifest } from './manifest.ts';
import { modelCacheName } from './names.ts';

/** The claim for the weights of a model, unless the user sets another claim or no cache. */
export function renderModelCacheClaim(pool: InferencePool, model: InferenceModel): Manifest[] {
  const claim = model.spec.model.cache?.pvc;
  if (claim?.size === undefined || claim.claimName !== undefined) return [];
  const { storageClassName } = claim;
  return [
    child(
      model,
      { apiVersion: 'v1', kind: 'PersistentVolumeClaim' },
      { name: modelCacheName(model.metadata.name), labels: engineLabels(model.metadata, pool.metadata) },
      {
        spec: {
          accessModes: claim.accessModes ?? ['ReadWriteOnce'],
          ...(storageClassName === undefined ? {} : { storageClassName }),
          resources: { requests: { storage: canonicalQuantity(claim.size) } },
        },
      },
    ),
  ];
}
