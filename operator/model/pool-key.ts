import type { InferenceModel } from '../api/types.ts';
import type { Key } from '../kube/key.ts';

/** `namespace/name` of the pool that a model refers to. */
export function poolKeyOf({ spec: { poolRef }, metadata }: Pick<InferenceModel, 'metadata' | 'spec'>): Key {
  return `${poolRef.namespace ?? metadata.namespace}/${poolRef.name}`;
}
