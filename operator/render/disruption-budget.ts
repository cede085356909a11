import type { InferenceModel, InferencePool } from '../api/types.ts';
import type { Labels } from './labels.ts';
import { child, type Manifest } from './manifest.ts';

/**
 * Allows one eviction at a time, so that draining a node stops at most one replica. A single replica may be evicted,
 * because its node could not be drained otherwise. Pods that are not ready never block an eviction.
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
