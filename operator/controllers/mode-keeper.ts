/** Who decides between 1 and N for each model, from what the cluster offers now. */
import type { InferenceModel, InferencePool } from '../api/types.ts';
import type { Clock } from '../kube/clock.ts';
import { engineName } from '../render/names.ts';
import type { ApiServiceState } from '../scaling/api-service.ts';
import { isSettled, type ModeDecision, resolveMode } from '../scaling/mode.ts';
import type { ClusterState } from './cluster-state.ts';

export interface ModeKeeperOptions {
  state: ClusterState;
  clock: Clock;
  /** Whose the external metrics API of the cluster is. */
  metricsApi: () => ApiServiceState;
}

export class ModeKeeper {
  readonly #options: ModeKeeperOptions;
  #unsettledSince: number | undefined;

  constructor(options: ModeKeeperOptions) {
    this.#options = options;
  }

  /** The mode in force and its condition. An overcommitted pool needs every new replica to be granted, which an HPA does not ask for. */
  of(model: InferenceModel, pool: InferencePool): ModeDecision {
    const { state, clock } = this.#options;
    const metricsApi = this.#options.metricsApi();
    if (isSettled(metricsApi)) this.#unsettledSince = undefined;
    else this.#unsettledSince ??= clock.now();
    const { scaling } = model.spec;
    const live = state.autoscalers.store.get({
      namespace: model.metadata.namespace ?? '',
      name: engineName(model.metadata.name),
    });
    const decision = resolveMode({
      scaling,
      metricsApi,
      hpa: live && (live.status?.conditions ?? []),
      unsettledSince: this.#unsettledSince,
      now: clock.now(),
    });
    const { overcommit, accelerators, namespaceQuotas = [] } = pool.spec.capacity;
    const isBounded = accelerators !== undefined || namespaceQuotas.length > 0;
    if (decision.mode !== 'HPA' || !overcommit || !isBounded) return decision;
    const message = `the operator's own loop scales, because pool ${pool.metadata.name} is overcommitted and an HPA does not ask its budget`;
    return { mode: 'Internal', condition: { status: 'True', reason: 'Internal', message } };
  }
}
