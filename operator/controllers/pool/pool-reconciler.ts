/** Reconciles one InferencePool: finalizer, routers, Redis and status. Removes the finalizer once no model uses the pool. */
import { isFailure } from '../../api/reasons.ts';
import type { InferencePool } from '../../api/types.ts';
import { INFERENCE_POOLS } from '../../api/types.ts';
import type { Applier } from '../../kube/applier.ts';
import type { KubeClient } from '../../kube/client.ts';
import type { Clock } from '../../kube/clock.ts';
import { Derived } from '../../kube/derived.ts';
import type { EventRecorder } from '../../kube/events.ts';
import { addFinalizer, removeFinalizer } from '../../kube/finalizers.ts';
import { type Key, keyOf } from '../../kube/key.ts';
import type { Logger } from '../../kube/logger.ts';
import type { KubeObject } from '../../kube/object.ts';
import { DEPLOYMENTS } from '../../kube/resource-types.ts';
import type { StatusWriter } from '../../kube/status-writer.ts';
import type { Identity, LoadedAuthority } from '../../pki/identity.ts';
import type { ImageDefaults } from '../../render/image-defaults.ts';
import { redisName, routerName } from '../../render/names.ts';
import { renderPool } from '../../render/pool.ts';
import { routerUrl } from '../../render/router-url.ts';
import { redisCredentials } from '../../router/redis-credentials.ts';
import { readRouterTemplates, routerFiles } from '../../router/router-files.ts';
import type { AcceptanceCache } from '../acceptance/acceptance-cache.ts';
import { RouterPods } from '../routes/router-pods.ts';
import type { ClusterState } from '../shared/cluster-state.ts';
import { reportFights } from '../shared/contended.ts';
import type { MountFailures } from '../shared/mount-failures.ts';
import { namespaceRefusal, REFUSED_RETRY_MS, refusalOf } from '../shared/refusal.ts';
import { earliest, requeueAfter } from '../shared/requeue-after.ts';
import type { Resolutions } from '../shared/resolutions.ts';
import { takeOverReplicas } from '../shared/take-over-replicas.ts';
import type { Deployment, Pod } from '../shared/workloads.ts';
import type { UsageStatuses } from '../usage/usage-statuses.ts';
import { cacheProblem, routerProblem } from './pool-health.ts';
import { type PoolView, poolStatus } from './pool-status.ts';

/** Blocks the deletion of a pool while models use it. */
export const POOL_FINALIZER = 'vllm-operator.dev/pool-in-use';

export interface PoolReconcilerOptions {
  state: ClusterState;
  resolutions: Resolutions;
  acceptance: AcceptanceCache;
  client: KubeClient;
  applier: Applier;
  status: StatusWriter;
  events: EventRecorder;
  identity: Identity;
  mounts: MountFailures;
  usage: UsageStatuses;
  clock: Clock;
  operatorNamespace: string;
  /** Images and pull secrets where the pool names none. */
  images: ImageDefaults;
}

interface Context {
  signal: AbortSignal;
  log: Logger;
}

/** What an apply leaves for the rest of a reconcile. */
interface Outcome {
  /** Deployments as the server returned them, by name: the cache may not show the last write yet. */
  written: Map<string, Deployment>;
  /** When to correct a child for which another client fights, in milliseconds from now. */
  contendedMs?: number | undefined;
}

export class PoolReconciler {
  readonly #options: PoolReconcilerOptions;

  readonly #pods: RouterPods;
  readonly #manifests: Derived<readonly KubeObject[]>;
  /** Read once, so that the routers do not change if a file changes on disk. */
  readonly #templates = readRouterTemplates();

  constructor(options: PoolReconcilerOptions) {
    this.#options = options;
    this.#manifests = new Derived(options.state.pools.store);
    this.#pods = new RouterPods(options.state);
  }

  /** Reconciles one key. Throws KubeError. Problems that a user has to fix are reported in status instead. */
  async reconcile(key: Key, context: Context): Promise<{ requeueAfterMs?: number } | undefined> {
    const { state, client } = this.#options;
    const pool = state.pools.store.get(key);
    if (!pool) return undefined;
    const deleting = pool.metadata.deletionTimestamp !== undefined;
    const users = deleting ? this.#users(pool) : [];
    if (deleting && users.length === 0) {
      if (pool.metadata.finalizers?.includes(POOL_FINALIZER))
        await removeFinalizer(client, INFERENCE_POOLS, pool, POOL_FINALIZER, context.signal);
      return undefined;
    }
    if (!deleting && !pool.metadata.finalizers?.includes(POOL_FINALIZER)) {
      await addFinalizer(client, INFERENCE_POOLS, pool, POOL_FINALIZER, context.signal);
      return undefined;
    }
    // With foreground deletion the garbage collector deletes the children first. Applying them again would block it forever.
    // With orphan it takes the owner off them.
    const isCollecting =
      deleting && ['foregroundDeletion', 'orphan'].some((each) => pool.metadata.finalizers?.includes(each));
    const outcome: Outcome = { written: new Map() };
    const refused =
      namespaceRefusal(state.namespaces.store.get(pool.metadata.namespace ?? '')) ??
      (isCollecting ? undefined : await refusalOf(() => this.#apply(pool, outcome, context)));
    const found = { ...(refused && { refused }), ...(deleting && { usedBy: users }) };
    const pods = { router: this.#pods.of(pool), cache: this.#pods.cacheOf(pool) };
    const requeueAfterMs = await this.#checkMounts([pods.router, pods.cache], context.signal);
    await this.#report(pool, outcome.written, pods, found, context);
    const retryMs = refused && refused.reason !== 'InvalidSpec' ? REFUSED_RETRY_MS : undefined;
    return requeueAfter(earliest(retryMs, requeueAfterMs, outcome.contendedMs));
  }

  /** Returns after how many milliseconds to check again. */
  async #checkMounts(
    workloads: readonly (readonly Pod[])[],
    signal: AbortSignal,
  ): Promise<number | undefined> {
    const found = await Promise.all(workloads.map((pods) => this.#options.mounts.check(pods, signal)));
    return earliest(...found.map(({ requeueAfterMs }) => requeueAfterMs));
  }

  /** Models that it serves or may serve: anybody else could keep it, and the namespace that goes with it, for ever. */
  #users(pool: InferencePool): string[] {
    return this.#options.acceptance.models(pool).map(keyOf).sort();
  }

  /**
   * Applies routers and Redis, and adds the written Deployments to `written` by name. Throws InvalidSpecError before it
   * applies anything if the spec is invalid. Returns after how many milliseconds to correct a child that somebody else
   * keeps changing.
   */
  async #apply(pool: InferencePool, outcome: Outcome, { signal }: Context): Promise<void> {
    const { applier, client, events, identity, resolutions, state } = this.#options;
    resolutions.pool(pool);
    const authority = await identity.authority(signal);
    const { name, namespace = '' } = pool.metadata;
    const live = state.deployments.store.get({ namespace, name: routerName(name) });
    if (pool.spec.router.autoscaling && live?.replicasOwnedByApply)
      await takeOverReplicas(client, live, signal);
    const desired = this.#desired(pool, authority, live !== undefined);
    // Children that the deletion is to leave would be deleted with the pool if it took them back.
    const adopt = pool.metadata.deletionTimestamp === undefined;
    const { changes, fights } = await applier.apply({ owner: pool, desired, prune: true, adopt, signal });
    for (const { action, type, object } of changes) {
      if (type.kind === DEPLOYMENTS.kind && object && action !== 'deleted')
        outcome.written.set(object.metadata.name, object as Deployment);
    }
    outcome.contendedMs = reportFights(events, pool, fights);
  }

  #desired(
    pool: InferencePool,
    { trustBundle, rootKey }: LoadedAuthority,
    routersExist: boolean,
  ): readonly KubeObject[] {
    const { operatorNamespace, images } = this.#options;
    const { uid = '' } = pool.metadata;
    return this.#manifests.of(pool, [trustBundle, rootKey, routersExist], () =>
      renderPool({
        pool,
        cluster: { operatorNamespace, images },
        routerFiles: routerFiles({ pool, trustBundle, templates: this.#templates }),
        redis: { aclHash: redisCredentials(rootKey, { uid }).passwordSha256 },
        routersExist,
      }),
    );
  }

  /** `written` takes precedence over the cache, which may not show the last write yet. */
  async #report(
    pool: InferencePool,
    written: ReadonlyMap<string, Deployment>,
    pods: { router: readonly Pod[]; cache: readonly Pod[] },
    found: Pick<PoolView, 'refused' | 'usedBy'>,
    { signal }: Context,
  ): Promise<void> {
    const { state, acceptance, status, clock, events, mounts, usage } = this.#options;
    const used = usage.of(pool);
    const namespace = pool.metadata.namespace ?? '';
    const models = acceptance.models(pool);
    const deployment = (name: string) =>
      written.get(name) ?? state.deployments.store.get({ namespace, name });
    const router = deployment(routerName(pool.metadata.name));
    const redis = deployment(redisName(pool.metadata.name));
    const routers = router && routerProblem(router, pods.router, mounts.of);
    const cache = redis && cacheProblem(redis, pods.cache, mounts.of);
    const next = poolStatus({
      pool,
      now: clock.now(),
      url: routerUrl(pool),
      models:
        found.refused?.reason !== 'InvalidSpec'
          ? models.filter((model) => acceptance.verdict(pool, model).accepted).length
          : 0,
      accelerators: models.reduce((sum, model) => sum + (model.status?.accelerators ?? 0), 0),
      ...(pool.spec.accelerator.spotHourlyCost !== undefined && {
        hourlyCost: models.reduce((sum, model) => sum + Number(model.status?.hourlyCost ?? 0), 0),
      }),
      ...(router && { router }),
      ...(redis && { redis }),
      ...(routers && { routerProblem: routers }),
      ...(cache && { cacheProblem: cache }),
      ...(used && { usage: used }),
      ...found,
    });
    const before = pool.status?.conditions?.find((condition) => condition.type === 'Ready');
    const after = next.conditions?.find((condition) => condition.type === 'Ready');
    const { changed } = await status.write(INFERENCE_POOLS, pool, next, {
      store: state.pools.store,
      signal,
    });
    if (!changed || !after || (before?.reason === after.reason && before.status === after.status)) return;
    events.emit(pool, {
      type: isFailure(after.reason) ? 'Warning' : 'Normal',
      reason: after.reason,
      action: 'Reconcile',
      note: after.message,
    });
  }
}
