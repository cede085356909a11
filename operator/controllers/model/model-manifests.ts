/** The manifests of each model, as its pool, its claims and a rollout under way want them. */
import type { InferenceModel, InferencePool } from '../../api/types.ts';
import type { Clock } from '../../kube/clock.ts';
import { type Key, keyOf } from '../../kube/key.ts';
import type { KubeObject } from '../../kube/object.ts';
import { isBoundToOneNode } from '../../model/shared-claims.ts';
import { renderModel } from '../../render/model.ts';
import { engineName } from '../../render/names.ts';
import type { ResolvedAccelerator } from '../../vllm/accelerators.ts';
import { type ClusterState, claimModesOf, podsOf } from '../shared/cluster-state.ts';
import { KeptManifests } from '../shared/kept-manifests.ts';
import type { Deployment } from '../shared/workloads.ts';
import { rolloutRoom } from './rollout-room.ts';

export interface ModelManifestsOptions {
  state: ClusterState;
  clock: Clock;
  operatorNamespace: string;
}

export class ModelManifests {
  readonly #options: ModelManifestsOptions;
  readonly #kept = new KeptManifests();

  constructor(options: ModelManifestsOptions) {
    this.#options = options;
  }

  /**
   * All children of the model but its HPA. Not to be changed, unless the Deployment does not exist yet: then they are
   * rendered anew, for whoever fills in its replicas. Throws InvalidSpecError.
   */
  of(
    pool: InferencePool,
    model: InferenceModel,
    accelerator: ResolvedAccelerator | undefined,
  ): readonly KubeObject[] {
    const { state, operatorNamespace } = this.#options;
    const roomForSurge = this.#hasBudget(pool, accelerator) && this.#rolloutRoom(model, accelerator).surge;
    const claimModes = claimModesOf(state, model.metadata.namespace ?? '');
    const render = () =>
      renderModel({ pool, model, cluster: { operatorNamespace }, roomForSurge, claimModes });
    if (!this.#deployment(model)) return render();
    const { uid, generation } = model.metadata;
    const oneNode = isBoundToOneNode(model.spec, claimModes);
    const of = [uid, generation, pool.metadata.uid, pool.metadata.generation, roomForSurge, oneNode];
    return this.#kept.get(keyOf(model), of, render);
  }

  /** When a rollout under way is to go on in another way, in milliseconds from now. */
  lookAgainMs(model: InferenceModel, accelerator: ResolvedAccelerator | undefined): number | undefined {
    return this.#rolloutRoom(model, accelerator).lookAgainMs;
  }

  /** Drops a model that is gone. */
  forget(key: Key): void {
    this.#kept.forget(key);
  }

  #rolloutRoom(
    model: InferenceModel,
    accelerator: ResolvedAccelerator | undefined,
  ): ReturnType<typeof rolloutRoom> {
    const { state, clock } = this.#options;
    const { namespace = '', name } = model.metadata;
    const deployment = this.#deployment(model);
    const pods = podsOf(state, { namespace, name });
    const { resourceName = '' } = accelerator ?? {};
    return rolloutRoom({ deployment, pods, resourceName, now: clock.now() });
  }

  /** With a budget, a rollout may start another replica beside the present ones only if it fits. */
  #hasBudget(pool: InferencePool, accelerator: ResolvedAccelerator | undefined): boolean {
    const budget = pool.spec.capacity.accelerators;
    if (!accelerator || budget === undefined) return true;
    const held = this.#options.state.models.store
      .byIndex('byPool', keyOf(pool))
      .reduce((sum, model) => sum + (model.status?.desiredReplicas ?? 0) * accelerator.count, 0);
    return held + accelerator.count <= budget;
  }

  #deployment({ metadata: { namespace = '', name } }: InferenceModel): Deployment | undefined {
    return this.#options.state.deployments.store.get({ namespace, name: engineName(name) });
  }
}
