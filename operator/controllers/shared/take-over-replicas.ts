import type { KubeClient } from '../../kube/client.ts';
import { DEPLOYMENTS } from '../../kube/resource-types.ts';
import { SCALING_FIELD_MANAGER } from './cluster-state.ts';
import type { Deployment } from './workloads.ts';

/**
 * Takes over the ownership of `spec.replicas` from the apply that created a Deployment, without changing the value. Must come
 * before an apply that omits the field, because a field without an owner is reset to its default, 1. Throws KubeError.
 */
export async function takeOverReplicas(
  client: Pick<KubeClient, 'apply'>,
  deployment: Deployment,
  signal: AbortSignal,
): Promise<Deployment> {
  const { name, namespace = '' } = deployment.metadata;
  const claim = {
    apiVersion: deployment.apiVersion,
    kind: deployment.kind,
    metadata: { name, namespace },
    spec: { replicas: deployment.spec.replicas ?? 1 },
  };
  return await client.apply<Deployment>(DEPLOYMENTS, claim as unknown as Deployment, {
    fieldManager: SCALING_FIELD_MANAGER,
    force: true,
    signal,
  });
}
