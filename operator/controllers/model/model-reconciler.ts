/**
 * Reconciles one InferenceModel: assess, apply, report status. A model that is blocked gets a condition, and nothing is
 * applied.
 */
import { INFERENCE_MODELS } from '../../api/types.ts';
import type { Applier } from '../../kube/applier.ts';
import type { EventRecorder } from '../../kube/events.ts';
import type { Key } from '../../kube/key.ts';
import type { Logger } from '../../kube/logger.ts';
import { DEPLOYMENTS } from '../../kube/resource-types.ts';
import type { StatusWriter } from '../../kube/status-writer.ts';
import type { Blocked } from '../../model/assess.ts';
import { initialReplicas } from '../../model/replica-counts.ts';
import type { ResolvedModel } from '../../model/resolved-model.ts';
import type { ImageDefaults } from '../../render/image-defaults.ts';
import { engineKeyOf } from '../../render/names.ts';
import { describeIssues } from '../../values/spec-issue.ts';
import type { AcceptanceCache } from '../acceptance/acceptance-cache.ts';
import type { Assessments } from '../acceptance/assessments.ts';
import { LONGEST_WAIT_MS } from '../scaling/bounds-cache.ts';
import type { ReplicasWriter } from '../scaling/replicas-writer.ts';
import { type ClusterState, podsOf } from '../shared/cluster-state.ts';
import { reportFights } from '../shared/contended.ts';
import { namespaceRefusal, REFUSED_RETRY_MS, refusalOf } from '../shared/refusal.ts';
import { earliest, requeueAfter } from '../shared/requeue-after.ts';
import { type Deployment, isReleased } from '../shared/workloads.ts';
import { emitConditionEvents, emitDeploymentEvents } from './model-events.ts';
import { ModelManifests } from './model-manifests.ts';
import { type Blocker, modelStatus } from './model-status.ts';
import { type Findings, ModelViews, type ModelViewsOptions } from './model-views.ts';

export interface ModelReconcilerOptions extends ModelViewsOptions {
  state: ClusterState;
  assessments: Assessments;
  acceptance: AcceptanceCache;
  applier: Applier;
  replicas: ReplicasWriter;
  /** Called when the reason why engines do not start has changed. */
  onMountFailure: (key: Key) => void;
  status: StatusWriter;
  events: EventRecorder;
  /** Images and pull secrets where pool and model name none. */
  images: ImageDefaults;
}

/** What one reconcile finds out. The fields are filled in this order. */
interface Scope extends Omit<Findings, 'blocker' | 'pods'> {
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
  readonly #views: ModelViews;

  constructor(options: ModelReconcilerOptions) {
    this.#options = options;
    this.#manifests = new ModelManifests(options);
    this.#views = new ModelViews(options);
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
    const isStopped = model.spec.suspend || this.#options.budgets.stops(pool, model);
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
    emitDeploymentEvents(this.#options.events, model, applied.changes);
    scope.contendedMs = reportFights(this.#options.events, model, applied.fights);
  }

  async #report(scope: Scope, blocker: Blocker | undefined, { signal }: Context): Promise<void> {
    const { model } = scope;
    const { state, status, coldStarts, events } = this.#options;
    const pods = podsOf(state, { namespace: model.metadata.namespace ?? '', name: model.metadata.name });
    // A pod that was released from its ReplicaSet belongs to an earlier start.
    coldStarts.pods(
      model.metadata.uid ?? '',
      pods.filter((pod) => !isReleased(pod)),
    );
    const next = modelStatus(this.#views.of({ ...scope, pods, blocker }));
    const { changed } = await status.write(INFERENCE_MODELS, model, next, {
      store: state.models.store,
      signal,
    });
    if (changed) emitConditionEvents(events, model, next);
  }
}

function blockerOf({ why, issues, needsUser }: Blocked): Blocker {
  return { ...why, message: describeIssues(issues), needsUser };
}
