/**
 * Keeps the routers of every pool on the newest route table, and a snapshot of it for routers that start while the
 * operator is down.
 */
import type { InferencePool } from '../../api/types.ts';
import type { Clock } from '../../kube/clock.ts';
import { KubeError } from '../../kube/errors.ts';
import type { EventRecorder } from '../../kube/events.ts';
import type { Key } from '../../kube/key.ts';
import type { Logger } from '../../kube/logger.ts';
import { isOwnedBy } from '../../kube/owner-reference.ts';
import type { Identity } from '../../pki/identity.ts';
import { redisName } from '../../render/names.ts';
import type { ApiKeyIssue } from '../../router/api-keys.ts';
import { compileRouteTable } from '../../router/compile-route-table.ts';
import type { UsageReport } from '../../router/protocol.ts';
import { redisCredentials } from '../../router/redis-credentials.ts';
import type { RouteKey, RouteRedis, RouteTable } from '../../router/route-table.ts';
import { RouterAdmin } from '../../router/router-admin.ts';
import { routerEndpoints } from '../../router/router-endpoints.ts';
import { RouterFleet } from '../../router/router-fleet.ts';
import { type Omitted, shareSlots } from '../../router/share-slots.ts';
import type { ColdStartRecorder } from '../../scaling/cold-start-recorder.ts';
import type { DemandTracker } from '../../scaling/demand.ts';
import { describeIssue } from '../../values/spec-issue.ts';
import type { AcceptanceCache } from '../acceptance/acceptance-cache.ts';
import type { GrantLedger } from '../acceptance/grant-ledger.ts';
import type { LifecyclesView } from '../scaling/lifecycles.ts';
import type { ClusterState } from '../shared/cluster-state.ts';
import type { DeparturesView } from '../shared/departures.ts';
import { earliest } from '../shared/requeue-after.ts';
import type { Resolutions } from '../shared/resolutions.ts';
import { HoldVersions } from './hold-versions.ts';
import { KeyPace } from './key-pace.ts';
import { ModelRoutes } from './model-routes.ts';
import { PoolApiKeys } from './pool-api-keys.ts';
import { RouterPods } from './router-pods.ts';
import type { SnapshotWriter } from './snapshot-writer.ts';

export interface RoutesReconcilerOptions {
  state: ClusterState;
  resolutions: Resolutions;
  acceptance: AcceptanceCache;
  ledger: GrantLedger;
  snapshots: SnapshotWriter;
  identity: Identity;
  clock: Clock;
  log: Logger;
  events: EventRecorder;
  demand: DemandTracker;
  coldStarts: ColdStartRecorder;
  lifecycles: LifecyclesView;
  departures: DeparturesView;
  /** Called when the confirmed route state of a model has changed. */
  onRouted: (modelKey: Key) => void;
}

/** Shutdown must not wait long for a server that does not answer. */
const FLUSH_TIMEOUT_MS = 3_000;

/**
 * Shortest interval between two tables of a pool. Clients do not notice it, and it is long compared with compiling a
 * table of thousands of models.
 */
const PAUSE_MS = 20;

/** Margin after a scheduled change, so that the change has taken effect when the reconcile runs. */
const AFTER_CHANGE_MS = 50;

/** `listed`: routers know the model and queue its requests. `served`: it also has an engine to send them to. */
export type RouteState = 'listed' | 'served';

/** Longest list of namespaces in an event, in characters. An event note is limited to 1 KiB. */
const MAX_TEAMS = 800;

interface PoolRoutes {
  fleet: RouterFleet;
  table: RouteTable | undefined;
  holds: HoldVersions;
  pace: KeyPace;
  compiledAt: number;
  /** The table that `states` describes. */
  noted: RouteTable | undefined;
  /** By model UID: the route state in the last table that all routers have confirmed. */
  states: Map<string, RouteState>;
  /** Problems of API keys, and those that were reported already. */
  keyIssues: readonly ApiKeyIssue[];
  reportedIssues: ReadonlySet<string>;
  /** The namespaces that were last reported to exceed the capacity of the routers. */
  reportedOmissions: string;
}

export class RoutesReconciler {
  readonly name = 'routes';
  readonly #options: RoutesReconcilerOptions;
  readonly #admin: RouterAdmin;
  readonly #pools = new Map<Key, PoolRoutes>();
  readonly #models: ModelRoutes;
  readonly #routers: RouterPods;
  readonly #keys: PoolApiKeys;

  constructor(options: RoutesReconcilerOptions) {
    this.#options = options;
    this.#models = new ModelRoutes(options);
    this.#routers = new RouterPods(options.state);
    this.#keys = new PoolApiKeys(options);
    this.#admin = new RouterAdmin({
      certificate: (signal) => options.identity.clientCertificate(signal),
      clock: options.clock,
    });
  }

  /** Maintains the connections to the routers until the signal aborts. Routers keep their tables after that. */
  async run(signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    signal.addEventListener('abort', () => resolve(), { once: true });
    if (!signal.aborted) await promise;
    await Promise.all([...this.#pools.values()].map(({ fleet }) => fleet.close()));
    const { snapshots, log } = this.#options;
    await snapshots
      .flush(AbortSignal.timeout(FLUSH_TIMEOUT_MS))
      .catch((err: unknown) => log.warn({ err }, 'cannot write the last route snapshot'));
    this.#pools.clear();
    await this.#admin.close();
  }

  /** Compiles and publishes the route table of one pool. */
  async reconcile(
    key: Key,
    { signal }: { signal: AbortSignal },
  ): Promise<{ requeueAfterMs?: number } | undefined> {
    const { state, snapshots, clock, demand } = this.#options;
    const pool = state.pools.store.get(key);
    if (!pool) {
      const gone = this.#pools.get(key);
      this.#pools.delete(key);
      demand.forget(key);
      await gone?.fleet.close();
      return undefined;
    }
    const routes = this.#pools.get(key) ?? this.#open(key, pool);
    // The first of a burst of changes is published at once, and the following ones together.
    const early = routes.compiledAt + PAUSE_MS - clock.monotonic();
    if (early > 0) return { requeueAfterMs: early };
    routes.compiledAt = clock.monotonic();
    const redis = await this.#redis(pool, signal);
    const keys = this.#apiKeys(pool, routes);
    const unsaved = await this.#saveGrants(pool, signal);
    const { models, omitted } = shareSlots(this.#models.of(pool));
    this.#reportOmitted(pool, routes, omitted);
    const { keys: paced, waitMs } = routes.pace.at(
      clock.monotonic(),
      this.#keys.saved(pool, keys),
      models.length,
    );
    const table = compileRouteTable({
      pool,
      models,
      keys: paced,
      previous: routes.table,
      now: clock.now(),
      ...(redis && { redis }),
    });
    routes.table = table;
    routes.holds.note(table);
    routes.fleet.publish(table);
    // Also reports the fleet status if there are no routers.
    routes.fleet.setRouters(routerEndpoints(this.#routers.of(pool)));
    snapshots.offer(pool, table);
    // Grants that could be persisted are in force. The rest is retried.
    if (unsaved) throw unsaved;
    return this.#changesByItself(pool, waitMs);
  }

  /** Persists grants before routers act on them. Returns the error if that failed. */
  async #saveGrants(pool: InferencePool, signal: AbortSignal): Promise<KubeError | undefined> {
    const { acceptance, ledger } = this.#options;
    acceptance.verdicts(pool);
    try {
      await ledger.saveAll(pool, signal);
      return undefined;
    } catch (error) {
      if (error instanceof KubeError) return error;
      throw error;
    }
  }

  /** When the next reservation expires, or delayed keys (`waitMs`) are due. */
  #changesByItself(pool: InferencePool, waitMs: number | undefined): { requeueAfterMs: number } | undefined {
    const next = earliest(this.#options.acceptance.changesInMs(pool), this.#keys.changesInMs(pool), waitMs);
    return next === undefined ? undefined : { requeueAfterMs: next + AFTER_CHANGE_MS };
  }

  #open(key: Key, pool: InferencePool): PoolRoutes {
    const { clock, log, demand, snapshots } = this.#options;
    const fleet = new RouterFleet({
      admin: this.#admin,
      clock,
      log: log.child({ pool: key }),
      listener: {
        onReport: (router, report) => demand.report(key, router.id, report),
        onStatus: () => {
          if (this.#pools.get(key)?.fleet !== fleet) return;
          demand.setRouters(
            key,
            fleet.present().map(({ id }) => id),
          );
          this.#noteRouted(key);
        },
      },
    });
    const routes: PoolRoutes = {
      fleet,
      table: snapshots.load(pool),
      holds: new HoldVersions(),
      pace: new KeyPace(),
      compiledAt: Number.NEGATIVE_INFINITY,
      noted: undefined,
      states: new Map(),
      keyIssues: [],
      reportedIssues: new Set(),
      reportedOmissions: '',
    };
    if (routes.table) this.#models.adopt(routes.table);
    this.#pools.set(key, routes);
    return routes;
  }

  #apiKeys(pool: InferencePool, routes: PoolRoutes): RouteKey[] {
    const { keys, issues } = this.#keys.of(pool);
    if (issues !== routes.keyIssues) this.#reportIssues(pool, routes, issues);
    routes.keyIssues = issues;
    return keys;
  }

  /** Emits one event for each rejected key when the problem is new. */
  #reportIssues(pool: InferencePool, routes: PoolRoutes, issues: readonly ApiKeyIssue[]): void {
    const now = new Set(
      issues.map((issue) => `ConfigMap ${issue.namespace}/${issue.configMap}: ${describeIssue(issue)}`),
    );
    for (const note of now) {
      if (routes.reportedIssues.has(note)) continue;
      this.#options.events.emit(pool, {
        type: 'Warning',
        reason: 'InvalidAPIKey',
        action: 'ReadAPIKeys',
        note,
      });
    }
    routes.reportedIssues = now;
  }

  /** Emits one event when the set of namespaces that exceed the capacity of the routers changes. */
  #reportOmitted(pool: InferencePool, routes: PoolRoutes, omitted: readonly Omitted[]): void {
    const teams = omitted.map(({ namespace }) => namespace).join(', ');
    if (teams !== '' && teams !== routes.reportedOmissions) {
      const note = `The routers of this pool have no room for all models and engines of namespaces: ${teams.slice(0, MAX_TEAMS)}. Limit them with spec.capacity, or move some models to another pool.`;
      this.#options.events.emit(pool, {
        type: 'Warning',
        reason: 'RoutersFull',
        action: 'CompileRoutes',
        note,
      });
    }
    routes.reportedOmissions = teams;
  }

  async #redis(pool: InferencePool, signal: AbortSignal): Promise<RouteRedis | undefined> {
    const { state, identity } = this.#options;
    if (!pool.spec.responseCache.enabled || pool.spec.responseCache.redis?.external) return undefined;
    const service = state.services.store.get({
      namespace: pool.metadata.namespace ?? '',
      name: redisName(pool.metadata.name),
    });
    // The password must not be sent to a Service that the pool does not own.
    if (!service || !isOwnedBy(service, pool.metadata.uid ?? '')) return undefined;
    const host = service.spec.clusterIP;
    const port = service.spec.ports?.[0]?.port;
    if (!host || host === 'None' || port === undefined) return undefined;
    const { rootKey } = await identity.authority(signal);
    const { username, password } = redisCredentials(rootKey, { uid: pool.metadata.uid ?? '' });
    return { host, port, username, password };
  }

  /** Records which models all routers know, and which of those have an engine. */
  #noteRouted(key: Key): void {
    const { coldStarts, onRouted } = this.#options;
    const routes = this.#pools.get(key);
    if (!routes?.table || routes.noted === routes.table || !routes.fleet.isConfirmed(routes.table.version))
      return;
    routes.noted = routes.table;
    const states = new Map<string, RouteState>();
    for (const { uid, namespace, name, endpoints } of routes.table.models) {
      const now = endpoints.some(({ draining }) => !draining) ? 'served' : 'listed';
      states.set(uid, now);
      if (now === 'served') coldStarts.routed(uid);
      if (routes.states.get(uid) !== now) onRouted(`${namespace}/${name}`);
    }
    routes.states = states;
  }

  /** What the routers of a pool counted, each since a batch; see `RouterFleet.usage`. */
  async usage(
    poolKey: Key,
    after: (router: string) => number,
    signal: AbortSignal,
  ): Promise<{ router: string; report: UsageReport }[]> {
    return (await this.#pools.get(poolKey)?.fleet.usage(after, signal)) ?? [];
  }

  /** The route state of a model; undefined until all routers of the pool have confirmed it. */
  routeStateOf(poolKey: Key, modelUid: string): RouteState | undefined {
    return this.#pools.get(poolKey)?.states.get(modelUid);
  }

  /** First route table version, confirmed by all routers, in which no engine of the model gets new requests. */
  heldBackSince(poolKey: Key, modelUid: string): number | undefined {
    const routes = this.#pools.get(poolKey);
    const version = routes?.holds.since(modelUid);
    return version !== undefined && routes?.fleet.isConfirmed(version) ? version : undefined;
  }
}
