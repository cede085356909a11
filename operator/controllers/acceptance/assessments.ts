/** Assesses models against the caches and the grants of their pools. */
import type { InferenceModel } from '../../api/types.ts';
import type { Clock } from '../../kube/clock.ts';
import { type Assessment, assess, type Surroundings } from '../../model/assess.ts';
import { engineKeyOf } from '../../render/names.ts';
import { type ClusterState, claimModesOf } from '../shared/cluster-state.ts';
import type { Resolutions } from '../shared/resolutions.ts';
import type { AcceptanceCache } from './acceptance-cache.ts';

export interface AssessmentsOptions {
  state: ClusterState;
  resolutions: Resolutions;
  acceptance: AcceptanceCache;
  clock: Clock;
}

export class Assessments {
  readonly #clock: Clock;
  readonly #surroundings: Omit<Surroundings, 'now'>;

  constructor({ state, resolutions, acceptance, clock }: AssessmentsOptions) {
    this.#clock = clock;
    this.#surroundings = {
      pool: (key) => state.pools.store.get(key),
      hasEngines: (model) => state.deployments.store.get(engineKeyOf(model)) !== undefined,
      resolve: (pool, model) => resolutions.of(pool, model),
      verdict: (pool, model) => acceptance.verdict(pool, model),
      claimModes: (namespace) => claimModesOf(state, namespace),
    };
  }

  of(model: InferenceModel): Assessment {
    return assess(model, { ...this.#surroundings, now: this.#clock.now() });
  }
}
