/** Makes one InferenceModel so: accept, resolve, render, apply, scale, report. Each phase is a method; the first that blocks ends the rest. */

import { isFailure } from '../../api/conditions.ts';
import type { InferenceModel, InferencePool } from '../../api/types.ts';
import { INFERENCE_MODELS } from '../../api/types.ts';
import type { Applier } from '../../kube/applier.ts';
import type { Clock } from '../../kube/clock.ts';
import { findCondition, isTrue } from '../../kube/conditions.ts';
import type { EventRecorder } from '../../kube/events.ts';
import { type Key, keyOf } from '../../kube/key.ts';
import type { Logger } from '../../kube/logger.ts';
import type { KubeObject } from '../../kube/object.ts';
import { DEPLOYMENTS } from '../../kube/resource-types.ts';
import type { StatusWriter } from '../../kube/status-writer.ts';
import { type MemoryPlan, planMemory } from '../../model/memory-plan.ts';
import { type ResolvedEngine, resolveEngine } from '../../model/settings.ts';
import { checkSharedClaims } from '../../model/shared-claims.ts';
import { renderHpa } from '../../render/hpa.ts';
import { engineSelector } from '../../render/labels.ts';
import { engineName, routerName } from '../../render/names.ts';
import type { ColdStartRecorder } from '../../scaling/cold-start-recorder.ts';
import { ScheduleError } from '../../scaling/cron-edge.ts';
import { hasNumber, isFixed, specReplicas } from '../../scaling/replicas.ts';
import { describeIssue, InvalidSpecError } from '../../values/spec-issue.ts';
import { type ResolvedAccelerator, resolveAccelerator } from '../../vllm/accelerators.ts';
import type { AcceptanceCache } from '../acceptance/acceptance-cache.ts';
import type { Reach } from '../routes/routes-reconciler.ts';
import { type BoundsKeeper, LONGEST_WAIT_MS } from '../scaling/bounds-keeper.ts';
import type { BudgetKeeper } from '../scaling/budget-keeper.ts';
import type { LivesView } from '../scaling/lives.ts';
import type { ModeKeeper } from '../scaling/mode-keeper.ts';
import type { ReplicasWriter } from '../scaling/replicas-writer.ts';
import { modelCacheCondition } from '../shared/cache-condition.ts';
import { type ClusterState, claimModesOf, podsOf, poolKeyOf } from '../shared/cluster-state.ts';
import type { MountFailures } from '../shared/mount-failures.ts';
import { REFUSED_RETRY_MS, refusalOf } from '../shared/refusal.ts';
import { type Deployment, isReleased } from '../shared/workloads.ts';
import { engineHealth } from './engine-health.ts';
import { ModelManifests } from './model-manifests.ts';
import { type Blocker, type ModelView, modelStatus } from './model-status.ts';

export interface ModelReconcilerOptions {
  state: ClusterState;
  acceptance: AcceptanceCache;
  applier: Applier;
  replicas: ReplicasWriter;
  modes: ModeKeeper;
  bounds: BoundsKeeper;
  /** How far the routers know a model. */
  reachOf: (poolKey: Key, modelUid: string) => Reach | undefined;
  coldStarts: ColdStartRecorder;
  mounts: MountFailures;
  /** The reason why engines do not start has changed. */
  onMountFailure: (key: Key) => void;
  /** What scaling remembers of each model. */
  lives: LivesView;
  budget: Pick<BudgetKeeper, 'isWaiting' | 'placeOf'>;
  status: StatusWriter;
  events: EventRecorder;
  clock: Clock;
  operatorNamespace: string;
}

/** What the phases of one reconcile find out, in the order in which they do. */
interface Scope {
  model: InferenceModel;
  pool?: InferencePool;
  accelerator?: ResolvedAccelerator;
  engine?: ResolvedEngine;
  plan?: MemoryPlan;
  desiredReplicas?: number;
  /** As the server returned it, if it was written just now: the cache may not have it yet. */
  written?: Deployment;
}

interface Context {
  signal: AbortSignal;
  log: Logger;
}

/** A pool that does not exist is waited for this long before the model is Stalled: GitOps applies both in any order. */
const POOL_GRACE_MS = 60_000;

/** Past the moment at which something changes by itself, so that it has. */
const AFTER_CHANGE_MS = 100;

export class ModelReconciler {
  readonly #options: ModelReconcilerOptions;
  readonly #manifests: ModelManifests;

  constructor(options: ModelReconcilerOptions) {
    this.#options = options;
    this.#manifests = new ModelManifests(options);
  }

  /** Reconciles one key. Throws KubeError; what a user has to change ends up in status instead. */
  async reconcile(key: Key, context: Context): Promise<{ requeueAfterMs?: number } | undefined> {
    const { state } = this.#options;
    const model = state.models.store.get(key);
    // Children go with the model, by their owner references.
    if (!model || model.metadata.deletionTimestamp !== undefined) {
      this.#manifests.forget(key);
      return undefined;
    }
    const scope: Scope = { model };
    const refused = this.#findPool(scope) ?? this.#accept(scope) ?? this.#resolve(scope) ?? this.#plan(scope);
    const blocker = refused ?? (await refusalOf(() => this.#apply(scope, context)));
    const lookAgainMs = await this.#lookAtMounts(key, scope, context);
    await this.#report(scope, blocker, context);
    const next = Math.min(this.#next(scope, refused, blocker), lookAgainMs);
    return Number.isFinite(next) ? { requeueAfterMs: next } : undefined;
  }

  /** When something changes by itself, in milliseconds from now. */
  #next(scope: Scope, refused: Blocker | undefined, blocker: Blocker | undefined): number {
    const { model, pool } = scope;
    const { clock, modes, bounds } = this.#options;
    if (blocker?.reason === 'PoolNotFound' && !blocker.needsUser) {
      return POOL_GRACE_MS - Math.min(POOL_GRACE_MS - 1_000, this.#age(model, clock.now()));
    }
    if (!refused && blocker) return REFUSED_RETRY_MS;
    const { nextChange = Number.POSITIVE_INFINITY } = bounds.of(model, clock.now());
    const mode = pool && !refused ? modes.of(model, pool) : undefined;
    const next = Math.min(
      nextChange - clock.now(),
      mode?.lookAgainMs ?? Number.POSITIVE_INFINITY,
      this.#manifests.lookAgainMs(model, scope.accelerator) ?? Number.POSITIVE_INFINITY,
    );
    return Number.isFinite(next) ? Math.min(Math.max(next, 0) + AFTER_CHANGE_MS, LONGEST_WAIT_MS) : next;
  }

  /** Returns when to look again, in milliseconds from now. */
  async #lookAtMounts(key: Key, { model }: Scope, { signal }: Context): Promise<number> {
    const { mounts, onMountFailure, state } = this.#options;
    const pods = podsOf(state, { namespace: model.metadata.namespace ?? '', name: model.metadata.name });
    const { changed, lookAgainMs = Number.POSITIVE_INFINITY } = await mounts.look(pods, signal);
    if (changed) onMountFailure(key);
    return lookAgainMs + AFTER_CHANGE_MS;
  }

  #age(model: InferenceModel, now: number): number {
    return now - Date.parse(model.metadata.creationTimestamp ?? new Date(now).toISOString());
  }

  #findPool(scope: Scope): Blocker | undefined {
    const { state, clock } = this.#options;
    const poolKey = poolKeyOf(scope.model);
    const pool = state.pools.store.get(poolKey);
    if (!pool) {
      return {
        condition: 'Accepted',
        reason: 'PoolNotFound',
        message: `spec.poolRef: there is no InferencePool ${poolKey}; create it or name another`,
        needsUser: this.#age(scope.model, clock.now()) >= POOL_GRACE_MS,
      };
    }
    scope.pool = pool;
    if (
      pool.metadata.deletionTimestamp === undefined ||
      state.deployments.store.get(this.#deploymentKey(scope))
    )
      return undefined;
    return {
      condition: 'Accepted',
      reason: 'PoolDeleting',
      message: `spec.poolRef: InferencePool ${poolKey} is being deleted; name another`,
      needsUser: true,
    };
  }

  #accept(scope: Scope): Blocker | undefined {
    const { pool, model } = scope;
    if (!pool) return undefined;
    try {
      scope.accelerator = resolveAccelerator(pool.spec.accelerator);
      const verdict = this.#options.acceptance.verdict(pool, model);
      return verdict.accepted
        ? undefined
        : { condition: 'Accepted', reason: verdict.reason, message: verdict.message, needsUser: true };
    } catch (error) {
      return invalid(error);
    }
  }

  #resolve(scope: Scope): Blocker | undefined {
    const { pool, model } = scope;
    if (!pool) return undefined;
    try {
      scope.engine = resolveEngine(pool, model);
      const claimModes = claimModesOf(this.#options.state, model.metadata.namespace ?? '');
      const issues = checkSharedClaims(model.spec, claimModes);
      if (issues.length > 0) throw new InvalidSpecError(issues);
      this.#options.bounds.check(model, this.#options.clock.now());
      return undefined;
    } catch (error) {
      return invalid(error);
    }
  }

  #plan(scope: Scope): Blocker | undefined {
    const { engine } = scope;
    if (!engine) return undefined;
    const plan = planMemory(engine);
    if (!plan) return undefined;
    scope.plan = plan;
    if (plan.issue)
      return {
        condition: 'MemoryFit',
        reason: 'DoesNotFit',
        message: describeIssue(plan.issue),
        needsUser: true,
      };
    return undefined;
  }

  async #apply(scope: Scope, { signal }: Context): Promise<void> {
    const { model, pool } = scope;
    if (!pool) return;
    const { acceptance, applier, replicas, modes, clock, state, events, bounds } = this.#options;
    // The next leader has to know it before anything runs.
    await acceptance.save(pool, model);
    const live = state.deployments.store.get(this.#deploymentKey(scope));
    // With overcommit, or more taken than there is room for, the budget decides who starts, so everything starts asleep.
    const initial = acceptance.hasRoomForAll(pool) ? specReplicas(model) : 0;
    scope.desiredReplicas = hasNumber(model)
      ? (replicas.lastDesired(model.metadata.uid ?? '') ?? model.status?.desiredReplicas ?? initial)
      : (live?.spec.replicas ?? initial);
    if (live?.replicasOwnedByApply) await replicas.takeOver(live, signal);

    const desired = [...this.#manifests.of(pool, model, scope.accelerator)];
    if (modes.of(model, pool).mode === 'HPA') {
      desired.push(renderHpa({ pool, model, bounds: bounds.of(model, clock.now()) }));
    }
    if (!live) giveReplicas(desired, initial);
    const { changes, fights } = await applier.apply({ owner: model, desired, prune: true, signal });
    for (const change of changes) {
      if (change.type.kind !== 'Deployment') continue;
      if (change.action !== 'deleted') scope.written = change.object as Deployment;
      const reason =
        change.action === 'created' ? 'Created' : change.action === 'deleted' ? 'Deleted' : 'Updated';
      events.emit(model, {
        type: 'Normal',
        reason,
        action: 'Apply',
        note: `${change.action} Deployment ${change.key}`,
      });
    }
    for (const fight of fights) {
      events.emit(model, {
        type: 'Warning',
        reason: 'Contended',
        action: 'Apply',
        note: `${fight.type.kind} ${fight.key} is changed again and again by ${fight.managers.join(', ') || 'someone else'}; backing off`,
      });
    }
  }

  async #report(scope: Scope, blocker: Blocker | undefined, { signal }: Context): Promise<void> {
    const { model, pool } = scope;
    const { state, clock, status, events, modes, coldStarts } = this.#options;
    const pods = podsOf(state, { namespace: model.metadata.namespace ?? '', name: model.metadata.name });
    // One that leaves its node is of an earlier start.
    coldStarts.pods(
      model.metadata.uid ?? '',
      pods.filter((pod) => !isReleased(pod)),
    );
    const live = scope.written ?? state.deployments.store.get(this.#deploymentKey(scope));
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
      ...(scope.plan && { plan: scope.plan }),
      ...(scope.accelerator && { acceleratorsPerReplica: scope.accelerator.count }),
      ...(pool?.spec.accelerator.hourlyCost && { hourlyCost: pool.spec.accelerator.hourlyCost }),
      ...(!blocker && pool && { scaling: modes.of(model, pool).condition }),
      reach: this.#reach(scope),
      routersReady: isTrue(pool?.status?.conditions, 'RouterReady'),
      ...this.#scalingView(scope),
      ...(!blocker && pool && { cache: modelCacheCondition(model, pool) }),
    };
    const next = modelStatus(view);
    const { changed } = await status.write(INFERENCE_MODELS, model, next, {
      store: state.models.store,
      signal,
    });
    if (!changed) return;
    for (const type of ['Ready', 'ScalingReady']) {
      const before = findCondition(model.status?.conditions, type);
      const after = findCondition(next.conditions, type);
      if (!after || (before?.reason === after.reason && before.status === after.status)) continue;
      const failed = isFailure(after.reason);
      // Who scales is no news as long as it works.
      if (type !== 'Ready' && !failed) continue;
      const { reason, message: note } = after;
      events.emit(model, { type: failed ? 'Warning' : 'Normal', reason, action: 'Reconcile', note });
    }
  }

  /** How far clients get. Once Ready, one router that starts or does not answer is no reason to say otherwise. */
  #reach({ model, pool }: Scope): Reach | undefined {
    if (!pool || !isTrue(pool.status?.conditions, 'RouterReady')) return undefined;
    if (isTrue(model.status?.conditions, 'Ready')) return 'served';
    return this.#options.reachOf(keyOf(pool), model.metadata.uid ?? '');
  }

  /** What scaling knows: the queue, schedules, a wake that failed, and whether a request would wake the model. */
  #scalingView({ model, pool }: Scope): Partial<ModelView> {
    const { uid = '' } = model.metadata;
    const { lives, budget } = this.#options;
    const life = lives.of(uid);
    const queuePosition = budget.placeOf(uid);
    const coldStart = this.#options.coldStarts.last(uid);
    const bounds = this.#options.bounds.of(model, this.#options.clock.now());
    const nextChange =
      bounds.nextChange === undefined ? undefined : new Date(bounds.nextChange).toISOString();
    const schedule = (model.spec.scaling?.schedules ?? []).length > 0 && {
      schedule: { open: bounds.open, ...(nextChange && { nextChange }) },
    };
    return {
      wakes: pool !== undefined && !isFixed(model),
      phase: life.phase,
      waiting: budget.isWaiting(uid),
      leastReplicas: bounds.minReplicas,
      ...(coldStart && { coldStart }),
      ...(life.failure && { wakeFailure: life.failure }),
      ...(queuePosition !== undefined && { queuePosition }),
      ...(schedule && schedule),
    };
  }

  #deploymentKey({ model }: Pick<Scope, 'model'>): { namespace: string; name: string } {
    return { namespace: model.metadata.namespace ?? '', name: engineName(model.metadata.name) };
  }
}

/** Where the OpenAI API of a pool is reached inside the cluster. */
export function routerUrl(pool: InferencePool): string {
  const { port } = pool.spec.router.service;
  const scheme = pool.spec.router.tls ? 'https' : 'http';
  const suffix = port === (scheme === 'https' ? 443 : 80) ? '' : `:${port}`;
  return `${scheme}://${routerName(pool.metadata.name)}.${pool.metadata.namespace}.svc${suffix}/v1`;
}

function giveReplicas(objects: KubeObject[], replicas: number): void {
  for (const object of objects) {
    if (object.kind === DEPLOYMENTS.kind) (object as Deployment).spec.replicas = replicas;
  }
}

function invalid(error: unknown): Blocker {
  if (!(error instanceof InvalidSpecError || error instanceof ScheduleError)) throw error;
  return { condition: 'Accepted', reason: 'InvalidSpec', message: error.message, needsUser: true };
}
