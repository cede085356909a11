/** The one place that writes `spec.replicas` of engine Deployments, always as its own field manager. */
import type { KubeClient } from '../../kube/client.ts';
import { DEPLOYMENTS } from '../../kube/resource-types.ts';
import { SCALING_FIELD_MANAGER } from '../shared/cluster-state.ts';
import type { Deployment } from '../shared/workloads.ts';

export class ReplicasWriter {
  readonly #client: Pick<KubeClient, 'apply' | 'patch'>;

  constructor(client: Pick<KubeClient, 'apply' | 'patch'>) {
    this.#client = client;
  }

  /**
   * Takes over the ownership of `spec.replicas` from the apply that created the Deployment, without changing its value.
   * Must come before an apply that leaves the field out: dropping the only owner resets it to 1.
   */
  async takeOver(deployment: Deployment, signal: AbortSignal): Promise<Deployment> {
    const { name, namespace = '' } = deployment.metadata;
    const claim = {
      apiVersion: deployment.apiVersion,
      kind: deployment.kind,
      metadata: { name, namespace },
      spec: { replicas: deployment.spec.replicas ?? 1 },
    };
    return await this.#client.apply<Deployment>(DEPLOYMENTS, claim as unknown as Deployment, {
      fieldManager: SCALING_FIELD_MANAGER,
      force: true,
      signal,
    });
  }

  /** Sets the replicas through the scale subresource; returns the resource version that the Deployment has from then on. */
  async scale(deployment: Deployment, replicas: number, signal: AbortSignal): Promise<string> {
    const { name, namespace = '' } = deployment.metadata;
    const { metadata } = await this.#client.patch(
      DEPLOYMENTS,
      { name, namespace },
      { merge: { spec: { replicas } } },
      { subresource: 'scale', fieldManager: SCALING_FIELD_MANAGER, signal },
    );
    return metadata.resourceVersion ?? '';
  }
}
