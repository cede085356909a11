import type { Deployment, ReplicaSet } from '../kinds.ts';

export const REVISION = 'deployment.kubernetes.io/revision';
export const DESIRED_REPLICAS = 'deployment.kubernetes.io/desired-replicas';
export const MAX_REPLICAS = 'deployment.kubernetes.io/max-replicas';
export const TEMPLATE_HASH = 'pod-template-hash';

/** `spec.replicas` with the API's default. */
export function replicasOf(workload: Deployment | ReplicaSet): number {
  return workload.spec.replicas ?? 1;
}
