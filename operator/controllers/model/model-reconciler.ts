/**
 * Reconciles one InferenceModel: assess, apply, report status. A model that is blocked gets a condition, and nothing is
 * applied.
 */
import type { InferenceModelStatus } from '../../api/inference-model.ts';
import { isFailure } from '../../api/reasons.ts';
import type { InferenceModel, InferencePool } from '../../api/types.ts';
import { INFERENCE_MODELS } from '../../api/types.ts';
import type { Applier } from '../../kube/applier.ts';
import type { Clock } from '../../kube/clock.ts';
import { findCondition, isTrue } from '../../kube/conditions.ts';
import type { EventRecorder } from '../../kube/events.ts';
import { type Key, keyOf } from '../../kube/key.ts';
import type { Logger } from '../../kube/logger.ts';
import { DEPLOYMENTS } from '../../kube/resource-types.ts';
import type { StatusWriter } from '../../kube/status-writer.ts';
import type { Assessment, Blocked } from '../../model/assess.ts';
import { degradationTiers } from '../../model/degradation-tiers.ts';
import { describeProfile } from '../../model/engine-profile.ts';
import { initialReplicas } from '../../model/replica-counts.ts';
import type { Resolution, ResolvedModel } from '../../model/resolved-model.ts';
import type { ResolvedScaling } from '../../model/resolved-scaling.ts';
import { versionWarning } from '../../model/version-warning.ts';
import type { ImageDefaults } from '../../render/image-defaults.ts';
import { engineSelector } from '../../render/labels.ts';
import { engineKeyOf } from '../../render/names.ts';
import { routerUrl } from '../../render/router-url.ts';
import type { ColdStartRecorder } from '../../scaling/cold-start-recorder.ts';
import { describeIssues } from '../../values/spec-issue.ts';
import type { AcceptanceCache } from '../acceptance/acceptance-cache.ts';
import type { Assessments } from '../acceptance/assessments.ts';
import type { RouteState } from '../routes/routes-reconciler.ts';
import type { AcceleratorBudget } from '../scaling/accelerator-budget.ts';
import { type BoundsCache, LONGEST_WAIT_MS } from '../scaling/bounds-cache.ts';
import type { LifecyclesView } from '../scaling/lifecycles.ts';
import type { ReplicasWriter } from '../scaling/replicas-writer.ts';
import type { ScalingModes } from '../scaling/scaling-modes.ts';
import { modelCacheCondition } from '../shared/cache-condition.ts';
import { type ClusterState, podsOf } from '../shared/cluster-state.ts';
import { reportFights } from '../shared/contended.ts';
import type { MountFailures } from '../shared/mount-failures.ts';
import { namespaceRefusal, REFUSED_RETRY_MS, refusalOf } from '../shared/refusal.ts';
import { earliest, requeueAfter } from '../shared/requeue-after.ts';
import { type Deployment, isReleased } from '../shared/workloads.ts';
import type { NamespaceBudgets } from '../usage/namespace-budgets.ts';
import type { PodPrices } from '../usage/pod-prices.ts';
import type { UsageView } from '../usage/usage-view.ts';
import { engineHealth } from './engine-health.ts';
import { ModelManifests } from './model-manifests.ts';
import { type Blocker, type ModelView, modelStatus } from './model-status.ts';
import type { ShownTiers } from './shown-tiers.ts';

export interface ModelReconcilerOptions {
  state: ClusterState;
  assessments: Assessments;
  acceptance: AcceptanceCache;
  applier: Applier;
  replicas: ReplicasWriter;
  modes: ScalingModes;
  bounds: BoundsCache;
  /** The state of the model's routes, as confirmed by the routers of the pool. */
  routeStateOf: (poolKey: Key, modelUid: string) => RouteState | undefined;
  coldStarts: ColdStartRecorder;
  mounts: MountFailures;
  /** Called when the reason why engines do not start has changed. */
  onMountFailure: (key: Key) => void;
  /** The lifecycle of each model, as scaling left it. */
  lifecycles: LifecyclesView;
  budget: Pick<AcceleratorBudget, 'isWaiting' | 'placeOf'>;
  shownTiers: ShownTiers;
  usageOf: UsageView;
  budgets: Pick<NamespaceBudgets, 'of'>;
  prices: PodPrices;
  status: StatusWriter;
  events: EventRecorder;
  clock: Clock;
  /** Images and pull secrets where pool and model name none. */
  images: ImageDefaults;
}

/** What one reconcile finds out. The fields are filled in this order. */
interface Scope {
  model: InferenceModel;
  assessment: Assessment;
  desiredReplicas?: number;
  /** The Deployment as the server returned it, if this reconcile wrote it. The cache may still hold the previous one. */
  written?: Deployment;
  /** Milliseconds until a child may be corrected that somebody else keeps changing. */
  contendedMs?: number | undefined;
}

interface Context {
  signal: AbortSignal;
  log: Logger;
}

/** Margin after a scheduled change, so that the change has taken effect when the reconcile runs. */
const AFTER_CHANGE_MS = 100;

export class ModelReconciler {
  readonly #options: ModelReconcilerOptions;
  readonly #manifests: ModelManifests;

  constructor(options: ModelReconcilerOptions) {
    this.#options = options;
    this.#manifests = new ModelManifests(options);
  }

  /** Reconciles one key. Throws KubeError. Problems that a user has to fix are reported in status instead. */
  async reconcile(key: Key, context: Context): Promise<{ requeueAfterMs?: number } | undefined> {
    const { state, assessments } = this.#options;
    const model = state.models.store.get(key);
    // The garbage collector deletes the children through their owner references.
    if (!model || model.metadata.deletionTimestamp !== undefined) return undefined;
    const scope: Scope = { model, assessment: assessments.of(model) };
    const { assessment } = scope;
    const blocker =
      namespaceRefusal(state.namespaces.store.get(model.metadata.namespace ?? '')) ??
      (assessment.kind === 'blocked'
        ? blockerOf(assessment)
        : await refusalOf(() => this.#apply(scope, assessment.model, context)));
    const requeueAfterMs = await this.#checkMounts(key, scope, context);
    await this.#report(scope, blocker, context);
    return requeueAfter(earliest(this.#next(scope, blocker), requeueAfterMs, scope.contendedMs));
  }

  /** Milliseconds until the next change that no watch reports. */
  #next({ model, assessment }: Scope, blocker: Blocker | undefined): number | undefined {
    const { clock, modes, bounds } = this.#options;
    const isBlocked = assessment.kind === 'blocked';
    if (isBlocked && assessment.requeueAfterMs !== undefined) return assessment.requeueAfterMs;
    if (!isBlocked && blocker) return REFUSED_RETRY_MS;
    const resolution = isBlocked ? assessment.resolution : assessment.model;
    const now = clock.now();
    // A namespace may have any number of rejected models, whose schedules could change each minute.
    const nextChange = isBlocked ? undefined : bounds.of(assessment.model.scaling, now).nextChange;
    const next = earliest(
      nextChange === undefined ? undefined : nextChange - now,
      isBlocked ? undefined : modes.of(assessment.model).requeueAfterMs,
      this.#manifests.requeueAfterMs(model, resolution?.accelerator),
      this.#options.shownTiers.of(model).requeueAfterMs,
    );
    return next === undefined ? undefined : Math.min(Math.max(next, 0) + AFTER_CHANGE_MS, LONGEST_WAIT_MS);
  }

  /** Returns after how many milliseconds to check again. */
  async #checkMounts(key: Key, { model }: Scope, { signal }: Context): Promise<number | undefined> {
    const { mounts, onMountFailure, state } = this.#options;
    const pods = podsOf(state, { namespace: model.metadata.namespace ?? '', name: model.metadata.name });
    const { changed, requeueAfterMs } = await mounts.check(pods, signal);
    if (changed) onMountFailure(key);
    return requeueAfterMs === undefined ? undefined : requeueAfterMs + AFTER_CHANGE_MS;
  }

  async #apply(scope: Scope, resolved: ResolvedModel, { signal }: Context): Promise<void> {
    const { pool, model, scaling } = resolved;
    const { acceptance, applier, replicas, modes, clock, state, bounds } = this.#options;
    // Persist the grant before anything runs, so that the next leader knows it.
    await acceptance.save(pool, model, signal);
    const live = state.deployments.store.get(engineKeyOf(model));
    const isStopped =
      model.spec.suspend || this.#options.budgets.of(pool, model)?.reason === 'BudgetExhausted';
    // With overcommit, or when grants exceed the capacity, the budget decides which models start. So create them with 0
    // replicas.
    const initial = acceptance.hasRoomForAll(pool) ? initialReplicas(scaling, isStopped) : 0;
    scope.desiredReplicas =
      scaling.kind === 'Range'
        ? (live?.spec.replicas ?? initial)
        : (replicas.lastDesired(model.metadata.uid ?? '') ?? model.status?.desiredReplicas ?? initial);
    if (live?.replicasOwnedByApply) await replicas.takeOver(live, signal);
    const isScaledByHpa = modes.of(resolved).mode === 'HPA';
    const desired = this.#manifests.of(resolved, {
      hpa: isScaledByHpa ? bounds.of(scaling, clock.now()) : undefined,
      replicas: live ? undefined : initial,
    });
    const applied = await applier.apply({ owner: model, desired, prune: true, signal });
    for (const { type, action, object } of applied.changes)
      if (type.kind === DEPLOYMENTS.kind && action !== 'deleted') scope.written = object as Deployment;
    this.#emitChildEvents(model, applied);
    scope.contendedMs = reportFights(this.#options.events, model, applied.fights);
  }

  #emitChildEvents(model: InferenceModel, { changes }: Awaited<ReturnType<Applier['apply']>>): void {
    const { events } = this.#options;
    for (const change of changes) {
      if (change.type.kind !== DEPLOYMENTS.kind) continue;
      const reason =
        change.action === 'created' ? 'Created' : change.action === 'deleted' ? 'Deleted' : 'Updated';
      events.emit(model, {
        type: 'Normal',
        reason,
        action: 'Apply',
        note: `${change.action} Deployment ${change.key}`,
      });
    }
  }

  async #report(scope: Scope, blocker: Blocker | undefined, { signal }: Context): Promise<void> {
    const { model, assessment } = scope;
    const pool = poolOf(assessment);
    const resolution = assessment.kind === 'blocked' ? assessment.resolution : assessment.model;
    const { state, clock, status, modes, coldStarts, budgets, prices } = this.#options;
    const budget = pool && budgets.of(pool, model);
    const pods = podsOf(state, { namespace: model.metadata.namespace ?? '', name: model.metadata.name });
    const price = pool && prices.mean(pool, pods);
    // A pod that was released from its ReplicaSet belongs to an earlier start.
    coldStarts.pods(
      model.metadata.uid ?? '',
      pods.filter((pod) => !isReleased(pod)),
    );
    const live = scope.written ?? state.deployments.store.get(engineKeyOf(model));
    const view: ModelView = {
      model,
      now: clock.now(),
      health: engineHealth(live, pods, this.#options.mounts.of),
      selector: Object.entries(engineSelector(model.metadata))
        .map(([label, value]) => `${label}=${value}`)
        .join(','),
      ...(blocker && { blocker }),
      ...(pool && { url: routerUrl(pool) }),
      ...(scope.desiredReplicas !== undefined && { desiredReplicas: scope.desiredReplicas }),
      ...(resolution?.memory && { plan: resolution.memory }),
      ...(resolution?.engine?.profile && { profile: describeProfile(resolution.engine.profile) }),
      ...warningOf(resolution),
      ...(resolution && { acceleratorsPerReplica: resolution.accelerator.count }),
      ...(price !== undefined && { hourlyCost: price }),
      ...(!blocker && assessment.kind === 'accepted' && { scaling: modes.of(assessment.model).condition }),
      routeState: this.#routeState(model, pool),
      routersReady: isTrue(pool?.status?.conditions, 'RouterReady'),
      ...this.#scalingView(model, resolution?.scaling),
      ...(assessment.kind === 'accepted' && this.#boundsView(assessment.model.scaling)),
      ...(!blocker && pool && { cache: modelCacheCondition(model, pool) }),
      ...(!blocker && pool && this.#degradation(model, pool)),
      ...(budget && { budget }),
    };
    const next = modelStatus(view);
    const { changed } = await status.write(INFERENCE_MODELS, model, next, {
      store: state.models.store,
      signal,
    });
    if (changed) this.#emitConditionEvents(model, next);
  }

  #emitConditionEvents(model: InferenceModel, next: InferenceModelStatus): void {
    for (const type of ['Ready', 'ScalingReady', 'WithinBudget']) {
      const before = findCondition(model.status?.conditions, type);
      const after = findCondition(next.conditions, type);
      if (!after || (before?.reason === after.reason && before.status === after.status)) continue;
      const failed = isFailure(after.reason);
      // A change of the autoscaler is only an event if it fails.
      if (type !== 'Ready' && !failed) continue;
      const { reason, message: note } = after;
      this.#options.events.emit(model, {
        type: failed ? 'Warning' : 'Normal',
        reason,
        action: 'Reconcile',
        note,
      });
    }
  }

  /**
   * The state of the model's routes. Once a model is Ready, one router that restarts or does not answer does not make
   * it unready.
   */
  #routeState(model: InferenceModel, pool: InferencePool | undefined): RouteState | undefined {
    if (!pool || !isTrue(pool.status?.conditions, 'RouterReady')) return undefined;
    if (isTrue(model.status?.conditions, 'Ready')) return 'served';
    return this.#options.routeStateOf(keyOf(pool), model.metadata.uid ?? '');
  }

  #degradation(model: InferenceModel, pool: InferencePool): Pick<ModelView, 'degradation'> {
    const tiers = degradationTiers(pool, model);
    if (tiers.length === 0 || !isTrue(pool.status?.conditions, 'RouterReady')) return {};
    return { degradation: { active: this.#options.shownTiers.of(model).tier, tiers } };
  }

  /** The scaling part of the status: queue position, a failed wake, and whether a request would wake the model. */
  #scalingView(model: InferenceModel, scaling: ResolvedScaling | undefined): Partial<ModelView> {
    const { uid = '' } = model.metadata;
    const { lifecycles, budget } = this.#options;
    const lifecycle = lifecycles.of(uid);
    const queuePosition = budget.placeOf(uid);
    const coldStart = this.#options.coldStarts.last(uid);
    return {
      wakes: scaling !== undefined && scaling.kind !== 'Fixed',
      phase: lifecycle.phase,
      waiting: budget.isWaiting(uid),
      ...(coldStart && { coldStart }),
      ...this.#options.usageOf(model),
      ...(lifecycle.failure && { wakeFailure: lifecycle.failure }),
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
}

function blockerOf({ why, issues, needsUser }: Blocked): Blocker {
  return { ...why, message: describeIssues(issues), needsUser };
}

function warningOf(resolution: Resolution | undefined): Pick<ModelView, 'warning'> {
  const warning = resolution?.engine && versionWarning(resolution.engine.version);
  return warning === undefined ? {} : { warning };
}

/** The pool that the model uses; undefined if it does not exist, or does not admit the namespace of the model. */
function poolOf(assessment: Assessment): InferencePool | undefined {
  if (assessment.kind === 'accepted') return assessment.model.pool;
  return assessment.why.reason === 'NamespaceNotAllowed' ? undefined : assessment.pool;
}
