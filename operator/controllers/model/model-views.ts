/** Collects what the status of a model reports, from the reconcile and from what other controllers know of the model. */
import type { InferenceModel, InferencePool } from '../../api/types.ts';
import type { Clock } from '../../kube/clock.ts';
import { isTrue } from '../../kube/conditions.ts';
import { type Key, keyOf } from '../../kube/key.ts';
import type { Assessment } from '../../model/assess.ts';
import { degradationTiers } from '../../model/degradation-tiers.ts';
import { describeProfile } from '../../model/engine-profile.ts';
import type { Resolution } from '../../model/resolved-model.ts';
import type { ResolvedScaling } from '../../model/resolved-scaling.ts';
import { versionWarning } from '../../model/version-warning.ts';
import { engineSelector } from '../../render/labels.ts';
import { engineKeyOf } from '../../render/names.ts';
import { routerUrl } from '../../render/router-url.ts';
import type { ColdStartRecorder } from '../../scaling/cold-start-recorder.ts';
import type { RouteState } from '../routes/routes-reconciler.ts';
import type { AcceleratorBudget } from '../scaling/accelerator-budget.ts';
import type { BoundsCache } from '../scaling/bounds-cache.ts';
import type { LifecyclesView } from '../scaling/lifecycles.ts';
import type { ScalingModes } from '../scaling/scaling-modes.ts';
import { modelCacheCondition } from '../shared/cache-condition.ts';
import type { ClusterState } from '../shared/cluster-state.ts';
import type { MountFailures } from '../shared/mount-failures.ts';
import type { Deployment, Pod } from '../shared/workloads.ts';
import type { NamespaceBudgets } from '../usage/namespace-budgets.ts';
import type { PodPrices } from '../usage/pod-prices.ts';
import type { UsageView } from '../usage/usage-view.ts';
import { engineHealth } from './engine-health.ts';
import type { Blocker, ModelView } from './model-status.ts';
import type { ShownTiers } from './shown-tiers.ts';

export interface ModelViewsOptions {
  state: Pick<ClusterState, 'deployments'>;
  modes: ScalingModes;
  bounds: BoundsCache;
  /** The state of the model's routes, as confirmed by the routers of the pool. */
  routeStateOf: (poolKey: Key, modelUid: string) => RouteState | undefined;
  coldStarts: ColdStartRecorder;
  mounts: MountFailures;
  /** The lifecycle of each model, as scaling left it. */
  lifecycles: LifecyclesView;
  budget: Pick<AcceleratorBudget, 'isWaiting' | 'placeOf'>;
  shownTiers: ShownTiers;
  usageOf: UsageView;
  budgets: Pick<NamespaceBudgets, 'of' | 'stops'>;
  prices: PodPrices;
  clock: Clock;
}

/** What a reconcile found out about a model. */
export interface Findings {
  model: InferenceModel;
  assessment: Assessment;
  blocker: Blocker | undefined;
  pods: readonly Pod[];
  desiredReplicas?: number;
  /** The Deployment as the server returned it, if the reconcile wrote it. The cache may still hold the previous one. */
  written?: Deployment;
}

export class ModelViews {
  readonly #options: ModelViewsOptions;

  constructor(options: ModelViewsOptions) {
    this.#options = options;
  }

  of(findings: Findings): ModelView {
    const { model, assessment, blocker, pods, desiredReplicas } = findings;
    const { state, clock, mounts, modes } = this.#options;
    const pool = poolOf(assessment);
    const resolution = assessment.kind === 'blocked' ? assessment.resolution : assessment.model;
    const live = findings.written ?? state.deployments.store.get(engineKeyOf(model));
    return {
      model,
      now: clock.now(),
      health: engineHealth(live, pods, mounts.of),
      selector: Object.entries(engineSelector(model.metadata))
        .map(([label, value]) => `${label}=${value}`)
        .join(','),
      ...(blocker && { blocker }),
      ...(desiredReplicas !== undefined && { desiredReplicas }),
      ...(resolution && specView(resolution)),
      ...this.#routesView(model, pool),
      ...this.#scalingView(model, resolution?.scaling),
      ...(assessment.kind === 'accepted' && this.#boundsView(assessment.model.scaling)),
      ...this.#options.usageOf(model),
      ...(pool && this.#costView(model, pool, pods)),
      ...(!blocker && assessment.kind === 'accepted' && { scaling: modes.of(assessment.model).condition }),
      ...(!blocker && pool && { cache: modelCacheCondition(model, pool) }),
      ...(!blocker && pool && this.#degradationView(model, pool)),
    };
  }

  #routesView(model: InferenceModel, pool: InferencePool | undefined): Partial<ModelView> {
    if (!pool) return { routersReady: false };
    const routersReady = isTrue(pool.status?.conditions, 'RouterReady');
    const url = routerUrl(pool);
    return routersReady
      ? { url, routersReady, routeState: this.#routeState(model, pool) }
      : { url, routersReady };
  }

  /** Once a model is Ready, one router that restarts or does not answer does not make it unready. */
  #routeState(model: InferenceModel, pool: InferencePool): RouteState | undefined {
    if (isTrue(model.status?.conditions, 'Ready')) return 'served';
    return this.#options.routeStateOf(keyOf(pool), model.metadata.uid ?? '');
  }

  /** The queue position, a failed wake, the last cold start, and whether a request would wake the model. */
  #scalingView(model: InferenceModel, scaling: ResolvedScaling | undefined): Partial<ModelView> {
    const { uid = '' } = model.metadata;
    const { lifecycles, budget, coldStarts } = this.#options;
    const { phase, failure: wakeFailure } = lifecycles.of(uid);
    const queuePosition = budget.placeOf(uid);
    const coldStart = coldStarts.last(uid);
    return {
      wakes: scaling !== undefined && scaling.kind !== 'Fixed',
      phase,
      waiting: budget.isWaiting(uid),
      ...(coldStart && { coldStart }),
      ...(wakeFailure && { wakeFailure }),
      ...(queuePosition !== undefined && { queuePosition }),
    };
  }

  #boundsView(scaling: ResolvedScaling): Partial<ModelView> {
    const bounds = this.#options.bounds.of(scaling, this.#options.clock.now());
    if (scaling.kind === 'Fixed' || scaling.schedules.length === 0)
      return { leastReplicas: bounds.minReplicas };
    const { open, minReplicas, nextChange } = bounds;
    return {
      leastReplicas: minReplicas,
      schedule: { open, ...(nextChange !== undefined && { nextChange: new Date(nextChange).toISOString() }) },
    };
  }

  #costView(model: InferenceModel, pool: InferencePool, pods: readonly Pod[]): Partial<ModelView> {
    const hourlyCost = this.#options.prices.mean(pool, pods);
    const budget = this.#options.budgets.of(pool, model);
    return { ...(hourlyCost !== undefined && { hourlyCost }), ...(budget && { budget }) };
  }

  #degradationView(model: InferenceModel, pool: InferencePool): Partial<ModelView> {
    const tiers = degradationTiers(pool, model);
    if (tiers.length === 0 || !isTrue(pool.status?.conditions, 'RouterReady')) return {};
    return { degradation: { active: this.#options.shownTiers.of(model).tier, tiers } };
  }
}

/** What the spec comes to: accelerators, memory, profile, and a warning about the version of vLLM. */
function specView({ accelerator, engine, memory: plan }: Resolution): Partial<ModelView> {
  const warning = engine && versionWarning(engine.version);
  return {
    acceleratorsPerReplica: accelerator.count,
    ...(plan && { plan }),
    ...(engine?.profile && { profile: describeProfile(engine.profile) }),
    ...(warning !== undefined && { warning }),
  };
}

/** The pool that the model uses; undefined if it does not exist, or does not admit the namespace of the model. */
function poolOf(assessment: Assessment): InferencePool | undefined {
  if (assessment.kind === 'accepted') return assessment.model.pool;
  return assessment.why.reason === 'NamespaceNotAllowed' ? undefined : assessment.pool;
}
