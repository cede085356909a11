/** Objects as the API server hands them out: schema defaults applied, UIDs and times set. */
import { API_VERSION } from '../../../operator/api/common.ts';
import { inferenceModelSpec } from '../../../operator/api/inference-model.ts';
import { inferencePoolSpec } from '../../../operator/api/inference-pool.ts';
import type { InferenceModel, InferencePool } from '../../../operator/api/types.ts';
import type { ObjectMeta } from '../../../operator/kube/object.ts';

/** A pool `platform/pool` with A100 accelerators unless the spec says otherwise. */
export function aPool(spec: Record<string, unknown> = {}, metadata: Partial<ObjectMeta> = {}): InferencePool {
  return {
    apiVersion: API_VERSION,
    kind: 'InferencePool',
    metadata: {
      name: 'pool',
      namespace: 'platform',
      uid: 'pool-uid',
      generation: 1,
      creationTimestamp: '2026-01-01T00:00:00Z',
      ...metadata,
    },
    spec: inferencePoolSpec.parse({ accelerator: { type: 'A100' }, ...spec }),
  };
}

/** A model in namespace `platform` that uses `platform/pool`. */
export function aModel(
  name: string,
  spec: Record<string, unknown> = {},
  metadata: Partial<ObjectMeta> = {},
): InferenceModel {
  return {
    apiVersion: API_VERSION,
    kind: 'InferenceModel',
    metadata: {
      name,
      namespace: 'platform',
      uid: `uid-${name}`,
      generation: 1,
      creationTimestamp: '2026-01-01T00:00:00Z',
      ...metadata,
    },
    spec: inferenceModelSpec.parse({
      poolRef: { name: 'pool', namespace: 'platform' },
      model: { source: 'hf://mistralai/Mistral-7B-Instruct-v0.3' },
      ...spec,
    }),
  };
}
