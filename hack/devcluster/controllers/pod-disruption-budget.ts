import type { KubeObject } from '../../../operator/kube/object.ts';
import type { LabelSelector } from '../../../operator/values/label-selector.ts';
import type { Condition } from '../node/pod.ts';

/** policy/v1 PodDisruptionBudget. */
export interface PodDisruptionBudget extends KubeObject {
  spec: { minAvailable?: number | string; maxUnavailable?: number | string; selector?: LabelSelector };
  status?: {
    observedGeneration?: number;
    disruptionsAllowed?: number;
    currentHealthy?: number;
    desiredHealthy?: number;
    expectedPods?: number;
    conditions?: Condition[];
  };
}
