/** The scaling mode of each model, given what the cluster offers now. */
import type { InferenceModel, InferencePool } from '../../api/types.ts';
import type { Clock } from '../../kube/clock.ts';
import type { ApiServiceState } from '../../metrics-api/api-service.ts';
import type { ResolvedScaling } from '../../model/resolved-scaling.ts';
import { engineKeyOf } from '../../render/names.ts';
import type { ClusterState } from '../shared/cluster-state.ts';
import { isSettled, type ModeDecision, resolveMode, withBudget } from './mode.ts';
import { otherAutoscaler } from './other-autoscalers.ts';

export interface ScalingModesOptions {
  state: ClusterState;
  clock: Clock;
  /** Who serves the external metrics API of the cluster. */
  metricsApi: () => ApiServiceState;
}

/** A model, its pool and its scaling settings. */
interface Scaled {
  model: InferenceModel;
  pool: InferencePool;
  scaling: ResolvedScaling;
}

export class ScalingModes {
  readonly #options: ScalingModesOptions;
  #unsettledSince: number | undefined;

  constructor(options: ScalingModesOptions) {
    this.#options = options;
  }

  /** The mode in force and its condition. */
  of({ model, pool, scaling }: Scaled): ModeDecision {
    const { state, clock } = this.#options;
    const metricsApi = this.#options.metricsApi();
    if (isSettled(metricsApi)) this.#unsettledSince = undefined;
    else this.#unsettledSince ??= clock.now();
    const live = state.autoscalers.store.get(engineKeyOf(model));
    const decision = resolveMode({
      scaling,
      metricsApi,
      hpa: live && (live.status?.conditions ?? []),
      unsettledSince: this.#unsettledSince,
      now: clock.now(),
    });
    const other = otherAutoscaler(state, model, scaling);
    const inForce = withBudget(decision, pool);
    return other ? { ...inForce, condition: other } : inForce;
  }
}
