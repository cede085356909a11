/** The two kinds as objects, and their resource types. */
import type { KubeObject, ResourceType } from '../kube/object.ts';
import { GROUP, VERSION } from './common.ts';
import type { InferenceModelSpec, InferenceModelStatus } from './inference-model.ts';
import type { InferencePoolSpec, InferencePoolStatus } from './inference-pool.ts';

export interface InferencePool extends KubeObject {
  spec: InferencePoolSpec;
  status?: InferencePoolStatus;
}

export interface InferenceModel extends KubeObject {
  spec: InferenceModelSpec;
  status?: InferenceModelStatus;
}

export const INFERENCE_POOLS: ResourceType = {
  group: GROUP,
  version: VERSION,
  kind: 'InferencePool',
  plural: 'inferencepools',
  namespaced: true,
};
export const INFERENCE_MODELS: ResourceType = {
  group: GROUP,
  version: VERSION,
  kind: 'InferenceModel',
  plural: 'inferencemodels',
  namespaced: true,
};

/** All kinds of this API. */
export const KINDS: readonly ResourceType[] = [INFERENCE_POOLS, INFERENCE_MODELS];
