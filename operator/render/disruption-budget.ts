import type { InferenceModel, InferencePool } from '../api/types.ts';
import type { Labels } from './labels.ts';
import { child, type Manifest } from './manifest.ts';

/**
 * One pod at a time may be evicted, so that a drained node takes all but one replica at most; a single replica may go,
 * or nodes could never be drained. Pods that are not ready never block.
 */
export function renderDisruptionBudget(
  owner: InferenceModel | InferencePool,
  name: string,
  labels: Labels,
  selector: Labels,
): Manifest {
  return child(
    owner,
    { apiVersion: 'policy/v1', kind: 'PodDisruptionBudget' },
    { name, labels },
    {
      spec: {
        maxUnavailable: 1,
        unhealthyPodEvictionPolicy: 'AlwaysAllow',
        selector: { matchLabels: selector },
      },
    },
  );
}
