/** The only writer of `spec.replicas` of engine Deployments. It has its own field manager. */
import type { InferenceModel } from '../../api/types.ts';
import type { KubeClient } from '../../kube/client.ts';
import { PerObject } from '../../kube/per-object.ts';
import { DEPLOYMENTS } from '../../kube/resource-types.ts';
import { compareResourceVersions } from '../../kube/resource-version.ts';
import type { Watchable } from '../../kube/store.ts';
import { SCALING_FIELD_MANAGER } from '../shared/cluster-state.ts';
import { takeOverReplicas } from '../shared/take-over-replicas.ts';
import type { Deployment } from '../shared/workloads.ts';

/** Read-only view of the numbers that were written. */
export interface ReplicasView {
  /** `spec.replicas` of the Deployment: from the cache or from the operator's last write, whichever is newer. */
  of(modelUid: string, deployment: Deployment): number;
  /** Like `of`, but the number of a write in flight if that is higher. */
  claimed(modelUid: string, deployment: Deployment | undefined): number;
  /** The number that this process last wrote or confirmed. */
  lastDesired(modelUid: string): number | undefined;
}

interface Written {
  desired: number;
  /** Resource version of the Deployment after the last write. */
  resourceVersion?: string | undefined;
  replicas?: number;
  /** Replicas of a write in flight. */
  pending?: number | undefined;
}

export class ReplicasWriter implements ReplicasView {
  readonly #client: Pick<KubeClient, 'apply' | 'patch'>;
  readonly #byModel: PerObject<Written>;

  constructor(client: Pick<KubeClient, 'apply' | 'patch'>, models: Watchable<InferenceModel>) {
    this.#client = client;
    this.#byModel = new PerObject(models);
  }

  of(modelUid: string, { metadata, spec }: Deployment): number {
    const { replicas, resourceVersion } = this.#byModel.get(modelUid) ?? {};
    const isNewer =
      resourceVersion !== undefined &&
      compareResourceVersions(resourceVersion, metadata.resourceVersion ?? '') > 0;
    return isNewer ? (replicas ?? 0) : (spec.replicas ?? 1);
  }

  claimed(modelUid: string, deployment: Deployment | undefined): number {
    const pending = this.#byModel.get(modelUid)?.pending ?? 0;
    return Math.max(deployment ? this.of(modelUid, deployment) : 0, pending);
  }

  lastDesired(modelUid: string): number | undefined {
    return this.#byModel.get(modelUid)?.desired;
  }

  /** Must come before an apply that omits `spec.replicas`: see `takeOverReplicas`. Throws KubeError. */
  async takeOver(deployment: Deployment, signal: AbortSignal): Promise<Deployment> {
    return await takeOverReplicas(this.#client, deployment, signal);
  }

  /** Sets the replicas through the scale subresource if they differ. Returns whether it wrote. Throws KubeError. */
  async scale(
    modelUid: string,
    deployment: Deployment,
    replicas: number,
    signal: AbortSignal,
  ): Promise<boolean> {
    const written: Written = { ...this.#byModel.get(modelUid), desired: replicas };
    this.#byModel.set(modelUid, written);
    if (this.of(modelUid, deployment) === replicas) return false;
    const { name, namespace = '' } = deployment.metadata;
    // The budget counts the new number from now on, because other models are decided on while this write is in flight.
    written.pending = replicas;
    try {
      const { metadata } = await this.#client.patch(
        DEPLOYMENTS,
        { name, namespace },
        { merge: { spec: { replicas } } },
        { subresource: 'scale', fieldManager: SCALING_FIELD_MANAGER, signal },
      );
      written.replicas = replicas;
      written.resourceVersion = metadata.resourceVersion ?? '';
      return true;
    } finally {
      written.pending = undefined;
    }
  }
}
