/** Pools and models as the API server would hand them to the operator: schema defaults applied. */
import type { z } from 'zod';
import { API_VERSION } from '../../../../operator/api/common.ts';
import { inferenceModelSpec } from '../../../../operator/api/inference-model.ts';
import { inferencePoolSpec } from '../../../../operator/api/inference-pool.ts';
import type { InferenceModel, InferencePool } from '../../../../operator/api/types.ts';

type PoolInput = z.input<typeof inferencePoolSpec>;
type ModelInput = z.input<typeof inferenceModelSpec>;

/** A pool of a type in namespace `platform`. */
export function pool(
  type: string,
  more: Omit<Partial<PoolInput>, 'accelerator'> & { accelerator?: Partial<PoolInput['accelerator']> } = {},
  name = 'gpus',
): InferencePool {
  const { accelerator, ...rest } = more;
  return {
    apiVersion: API_VERSION,
    kind: 'InferencePool',
    metadata: { name, namespace: 'platform', uid: 'b1f7c8f0-0000-4000-8000-000000000001', generation: 1 },
    spec: inferencePoolSpec.parse({ ...rest, accelerator: { type, ...accelerator } }),
  };
}

/** A model of a source in namespace `team-a`, served from `platform/gpus`. */
export function model(
  source: string,
  more: Omit<Partial<ModelInput>, 'model'> & { model?: Partial<ModelInput['model']> } = {},
  name = 'assistant',
): InferenceModel {
  const { model: served, ...rest } = more;
  return {
    apiVersion: API_VERSION,
    kind: 'InferenceModel',
    metadata: { name, namespace: 'team-a', uid: 'b1f7c8f0-0000-4000-8000-000000000002', generation: 1 },
    spec: inferenceModelSpec.parse({
      poolRef: { name: 'gpus', namespace: 'platform' },
      ...rest,
      model: { source, ...served },
    }),
  };
}

/** The settings that the examples use on every accelerator. */
export const EXAMPLE_ENGINE = {
  maxModelLen: 32768,
  pagedAttention: { blockSize: 16, gpuMemoryUtilization: '0.90', swapSpaceGiB: 4 },
} as const;
