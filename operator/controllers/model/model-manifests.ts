/** Caches the rendered manifests of each model. They depend on its pool, its volume claims and a rollout in progress. */
import type { InferenceModel, InferencePool } from '../../api/types.ts';
import type { Clock } from '../../kube/clock.ts';
import { Derived } from '../../kube/derived.ts';
import type { KubeObject } from '../../kube/object.ts';
import type { ResolvedAccelerator } from '../../model/resolve-accelerator.ts';
import type { ResolvedModel } from '../../model/resolved-model.ts';
import { isBoundToOneNode } from '../../model/shared-claims.ts';
import type { ImageDefaults } from '../../render/image-defaults.ts';
import { type ModelCircumstances, renderModel } from '../../render/model.ts';
import { engineKeyOf } from '../../render/names.ts';
import type { AcceptanceCache } from '../acceptance/acceptance-cache.ts';
import { type ClusterState, claimModesOf, podsOf } from '../shared/cluster-state.ts';
import { rolloutRoom } from './rollout-room.ts';

export interface ModelManifestsOptions {
  acceptance: AcceptanceCache;
  state: ClusterState;
  clock: Clock;
  images: ImageDefaults;
}

export class ModelManifests {
  readonly #options: ModelManifestsOptions;
  readonly #manifests: Derived<readonly KubeObject[]>;

  constructor(options: ModelManifestsOptions) {
    this.#options = options;
    this.#manifests = new Derived(options.state.models.store);
  }

  /** All children of the model. Do not modify the result. */
  of(
    resolved: ResolvedModel,
    { hpa, replicas }: Pick<ModelCircumstances, 'hpa' | 'replicas'>,
  ): readonly KubeObject[] {
    const { pool, model, accelerator } = resolved;
    const { images } = this.#options;
    const roomForSurge = this.#hasBudget(pool, accelerator) && this.#rolloutRoom(model, accelerator).surge;
    const claimModes = claimModesOf(this.#options.state, model.metadata.namespace ?? '');
    const oneNode = isBoundToOneNode(model.spec, claimModes);
    const { uid, generation } = pool.metadata;
    const inputs = [uid, generation, roomForSurge, oneNode, hpa?.minReplicas, hpa?.maxReplicas, replicas];
    return this.#manifests.of(model, inputs, () =>
      renderModel(resolved, { roomForSurge, claimModes, hpa, replicas, images }),
    );
  }

  /** When the progress of a rollout has to be checked again, in milliseconds from now. */
  requeueAfterMs(model: InferenceModel, accelerator: ResolvedAccelerator | undefined): number | undefined {
    return this.#rolloutRoom(model, accelerator).requeueAfterMs;
  }

  #rolloutRoom(
    model: InferenceModel,
    accelerator: ResolvedAccelerator | undefined,
  ): ReturnType<typeof rolloutRoom> {
    const { state, clock } = this.#options;
    const { namespace = '', name } = model.metadata;
    const deployment = state.deployments.store.get(engineKeyOf(model));
    const pods = podsOf(state, { namespace, name });
    const { resourceName = '' } = accelerator ?? {};
    return rolloutRoom({ deployment, pods, resourceName, now: clock.now() });
  }

  /** Whether the budget has room for one more replica, which a rollout needs to surge. */
  #hasBudget(pool: InferencePool, accelerator: ResolvedAccelerator): boolean {
    const budget = pool.spec.capacity.accelerators;
    if (budget === undefined) return true;
    const held = this.#options.acceptance
      .models(pool)
      .reduce((sum, model) => sum + (model.status?.desiredReplicas ?? 0) * accelerator.count, 0);
    return held + accelerator.count <= budget;
  }
}
