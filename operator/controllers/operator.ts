/** Puts the operator together: caches, controllers, leader election, servers. Nothing runs until `run`. */
import type { Registry } from 'prom-client';
import type { InferenceModel } from '../api/types.ts';
import { Applier } from '../kube/applier.ts';
import type { KubeClient } from '../kube/client.ts';
import { type Clock, systemClock } from '../kube/clock.ts';
import { Controller } from '../kube/controller.ts';
import { LeaderElector } from '../kube/elector.ts';
import { EventRecorder } from '../kube/events.ts';
import { type Key, keyOf } from '../kube/key.ts';
import type { Logger } from '../kube/logger.ts';
import { Manager } from '../kube/manager.ts';
import { ownerKeys } from '../kube/owner-keys.ts';
import { ProbeServer } from '../kube/probes.ts';
import {
  CONFIG_MAPS,
  DEPLOYMENTS,
  HORIZONTAL_POD_AUTOSCALERS,
  INGRESSES,
  NETWORK_POLICIES,
  PERSISTENT_VOLUME_CLAIMS,
  POD_DISRUPTION_BUDGETS,
  SERVICE_ACCOUNTS,
  SERVICES,
} from '../kube/resource-types.ts';
import { StatusWriter } from '../kube/status-writer.ts';
import { WriteTracker } from '../kube/write-tracker.ts';
import { ExternalMetricsApi } from '../metrics-api/external-metrics-api.ts';
import { metricsDnsNames } from '../metrics-api/leader-endpoint.ts';
import { AuthorityStore } from '../pki/authority-store.ts';
import { CertificateKeeper } from '../pki/certificate-keeper.ts';
import { Identity } from '../pki/identity.ts';
import { issueServingCertificate } from '../pki/pki.ts';
import { labelValue } from '../render/names.ts';
import { ColdStartRecorder } from '../scaling/cold-start-recorder.ts';
import { DemandTracker } from '../scaling/demand.ts';
import { AcceptanceCache } from './acceptance/acceptance-cache.ts';
import { GrantLedger } from './acceptance/grant-ledger.ts';
import { Evacuation } from './evacuation/evacuation.ts';
import { NodeNotices } from './evacuation/node-notices.ts';
import { ModelReconciler } from './model/model-reconciler.ts';
import { PoolReconciler } from './pool/pool-reconciler.ts';
import { RoutesReconciler } from './routes/routes-reconciler.ts';
import { SnapshotWriter } from './routes/snapshot-writer.ts';
import { BoundsKeeper } from './scaling/bounds-keeper.ts';
import { BudgetKeeper } from './scaling/budget-keeper.ts';
import { Lives } from './scaling/lives.ts';
import { ModeKeeper } from './scaling/mode-keeper.ts';
import { ReplicasWriter } from './scaling/replicas-writer.ts';
import { ScalingReconciler } from './scaling/scaling-reconciler.ts';
import {
  byModel,
  createClusterState,
  FIELD_MANAGER,
  noteReplicasOwner,
  poolKeyOf,
  STATUS_FIELD_MANAGER,
} from './shared/cluster-state.ts';
import { Departures } from './shared/departures.ts';
import { MountFailures } from './shared/mount-failures.ts';
import {
  watchForEvacuation,
  watchForModels,
  watchForPools,
  watchForRoutes,
  watchForScaling,
} from './watches.ts';

/** Written into Leases, and what a second operator in the same namespace competes for. */
const LEASE_NAME = 'vllm-operator';
/** Goes when the operator is uninstalled, and the registration of its metrics API with it (manifests/install.yaml). */
const OWNER_CLUSTER_ROLE = 'vllm-operator';
/** A held request goes before whatever else waits to be looked at. */
const WAKE_PRIORITY = 100;
/** Where the API server is slow, held requests have more of it than statuses, which eight workers write. */
const WAKES_AT_ONCE = 32;
const REPORTING_CONTROLLER = 'vllm-operator.dev/operator';

export interface OperatorOptions {
  client: KubeClient;
  /** Where the operator keeps its Lease and its root key. */
  namespace: string;
  /** Unique to this process, such as the pod's name. */
  identity: string;
  log: Logger;
  registry: Registry;
  clock?: Clock;
  leaderElection: boolean;
  /** Port of probes and metrics; 0 lets the system choose. */
  probePort: number;
  probeHost?: string;
  exit: (code: number) => void;
  /** Serve the external metrics API that HPAs read; absent: the operator's own loop scales. */
  metricsApi?: MetricsApiOptions | undefined;
}

/** Where the API server reaches this process. */
export interface MetricsApiOptions {
  /** The pod's IP. */
  address: string;
  /** 0 lets the system choose. */
  port: number;
  /** Address to listen on. Default: all. */
  host?: string;
}

/** The operator, ready to run. `probes.port` is known once it does. */
export function createOperator(options: OperatorOptions): { manager: Manager; probes: ProbeServer } {
  const { client, namespace, identity: instance, log, registry, clock = systemClock } = options;
  const state = createClusterState({ client, log, registry });
  const ledger = new GrantLedger(client);
  const acceptance = new AcceptanceCache({
    state,
    ledger,
    clock,
    onStale: (poolKey) => routesController.enqueue(poolKey),
    onChanged: (modelKeys) => {
      for (const key of modelKeys) {
        modelController.enqueue(key);
        scalingController.enqueue(key);
      }
    },
  });
  const tracker = new WriteTracker();
  const events = new EventRecorder({ client, controller: REPORTING_CONTROLLER, instance, log });
  const status = new StatusWriter({ client, fieldManager: STATUS_FIELD_MANAGER, tracker, registry });
  const identity = new Identity({
    store: new AuthorityStore({ client, namespace, now: () => new Date(clock.now()) }),
    clock,
  });
  const shared = { state, acceptance, status, events, clock, operatorNamespace: namespace };

  const lives = new Lives(state.models.store);
  const departures = new Departures(state.models.store);
  const bounds = new BoundsKeeper(state.models.store);
  const keysOf = (uid: string) => state.models.store.byIndex('byUid', uid).map(keyOf);
  const demand = new DemandTracker({
    clock,
    isModelOf: (poolKey, uid) =>
      state.models.store.byIndex('byUid', uid).some((model) => poolKeyOf(model) === poolKey),
    onHeld: (_pool, uid) => {
      coldStarts.held(uid);
      for (const key of keysOf(uid)) scalingController.enqueue(key, { priority: WAKE_PRIORITY });
    },
    onReleased: (_pool, uid) => {
      coldStarts.firstByte(uid);
      coldStarts.released(uid);
    },
    onBusy: (_pool, uid) => {
      for (const key of keysOf(uid)) scalingController.enqueue(key);
    },
  });
  const replicas = new ReplicasWriter(client, state.models.store);
  const coldStarts = new ColdStartRecorder({
    clock,
    registry,
    onRecorded: (uid) => {
      for (const key of keysOf(uid)) modelController.enqueue(key);
    },
  });
  // At once, because it measures.
  state.pods.store.subscribe(({ new: pod }) => {
    for (const key of pod ? byModel(pod) : [])
      coldStarts.pods(
        state.models.store.get(key)?.metadata.uid ?? '',
        state.pods.store.byIndex('byModel', key),
      );
  });
  state.models.store.subscribe(({ old, new: now }) => {
    if (!old || now) return;
    const uid = old.metadata.uid ?? '';
    coldStarts.forget(uid);
    demand.forgetModel(poolKeyOf(old), uid);
  });
  const metricsApi = options.metricsApi && createMetricsApi(options.metricsApi);
  const modes = new ModeKeeper({
    state,
    clock,
    metricsApi: () =>
      metricsApi?.state() ?? {
        owner: 'off',
        message: 'this operator serves no metrics (--metrics-api-address is not set)',
      },
  });

  const minReplicas = (model: InferenceModel) => bounds.of(model, clock.now()).minReplicas;
  const budget = new BudgetKeeper({ state, acceptance, lives, replicas, departures, demand, minReplicas });

  const applierOptions = {
    client,
    fieldManager: FIELD_MANAGER,
    hashAnnotation: 'vllm-operator.dev/applied-hash',
    tracker,
    log,
    registry,
  };
  /** Children that models and pools both have. */
  const workloadTypes = [
    { type: DEPLOYMENTS, store: state.deployments.store, transform: noteReplicasOwner },
    { type: SERVICES, store: state.services.store },
    { type: SERVICE_ACCOUNTS, store: state.serviceAccounts.store },
    { type: POD_DISRUPTION_BUDGETS, store: state.disruptionBudgets.store },
    { type: NETWORK_POLICIES, store: state.networkPolicies.store },
  ];
  const mounts = new MountFailures({ client, pods: state.pods.store, clock });
  const models = new ModelReconciler({
    ...shared,
    mounts,
    onMountFailure: (key) => scalingController.enqueue(key),
    reachOf: (poolKey, uid) => routes.reachOf(poolKey, uid),
    replicas,
    lives,
    budget,
    modes,
    bounds,
    coldStarts,
    applier: new Applier({
      ...applierOptions,
      children: [
        ...workloadTypes,
        { type: PERSISTENT_VOLUME_CLAIMS, store: state.volumeClaims.store },
        { type: HORIZONTAL_POD_AUTOSCALERS, store: state.autoscalers.store },
      ],
    }),
  });
  const pools = new PoolReconciler({
    ...shared,
    mounts,
    client,
    identity,
    applier: new Applier({
      ...applierOptions,
      children: [
        ...workloadTypes,
        { type: CONFIG_MAPS, store: state.configMaps.store },
        { type: INGRESSES, store: state.ingresses.store },
      ],
    }),
  });
  const snapshots = new SnapshotWriter({
    client,
    state,
    clock,
    log,
    onNew: (poolKey) => snapshotsController.enqueue(poolKey),
  });
  const routes = new RoutesReconciler({
    state,
    acceptance,
    ledger,
    snapshots,
    identity,
    events,
    demand,
    lives,
    departures,
    coldStarts,
    onRouted: (key) => modelController.enqueue(key),
    clock,
    log,
  });
  const scaling = new ScalingReconciler({
    state,
    acceptance,
    replicas,
    demand,
    lives,
    events,
    clock,
    budget,
    modes,
    bounds,
    coldStarts,
    mountFailure: mounts.of,
    registry,
    heldBackSince: (poolKey, uid) => routes.heldBackSince(poolKey, uid),
    onChanged: (modelKey, poolKey) => {
      modelController.enqueue(modelKey);
      routesController.enqueue(poolKey);
    },
    onTouched: (keys) => {
      for (const key of keys) {
        scalingController.enqueue(key);
        modelController.enqueue(key);
      }
    },
  });
  const nodes = new NodeNotices({ client, pools: state.pools.store, log, registry });
  const evacuation = new Evacuation({
    client,
    state,
    nodes,
    budget,
    lives,
    replicas,
    departures,
    events,
    clock,
    registry,
    isIdle: (poolKey, uid) => {
      const { known, inFlight } = demand.of(poolKey, uid);
      return known && inFlight === 0 && demand.confirmed(poolKey, routes.heldBackSince(poolKey, uid));
    },
    onChanged: (poolKey) => routesController.enqueue(poolKey),
  });

  /** Nobody decides anything before it is known what the leader before this one has decided. */
  const informed =
    <T, R>(reconcile: (key: Key, context: T) => Promise<R>) =>
    async (key: Key, context: T): Promise<R> => {
      await acceptance.load();
      return await reconcile(key, context);
    };

  const controllerOptions = {
    timeoutMs: 60_000,
    maxRetryDelayMs: 60_000,
    ready: (key: string) => tracker.isReady(key),
    log,
    registry,
  };
  const modelController = new Controller({
    ...controllerOptions,
    name: 'inferencemodel',
    concurrency: 8,
    reconcile: informed((key, context) => models.reconcile(key, context)),
  });
  const poolController = new Controller({
    ...controllerOptions,
    name: 'inferencepool',
    concurrency: 4,
    reconcile: informed((key, context) => pools.reconcile(key, context)),
  });
  const routesController = new Controller({
    ...controllerOptions,
    ready: () => true,
    name: 'routes',
    concurrency: 4,
    reconcile: informed((key, context) => routes.reconcile(key, context)),
  });
  const snapshotsController = new Controller({
    ...controllerOptions,
    ready: () => true,
    name: 'snapshots',
    concurrency: 2,
    reconcile: (key, context) => snapshots.reconcile(key, context),
  });
  const scalingController = new Controller({
    ...controllerOptions,
    ready: () => true,
    name: 'scaling',
    concurrency: WAKES_AT_ONCE,
    reconcile: informed((key, context) => scaling.reconcile(key, context)),
  });
  const evacuationController = new Controller({
    ...controllerOptions,
    ready: () => true,
    name: 'evacuation',
    reconcile: informed((key, context) => evacuation.reconcile(key, context)),
  });
  watchForModels(modelController, state, ownerKeys('InferenceModel'));
  watchForPools(poolController, state, ownerKeys('InferencePool'));
  watchForRoutes(routesController, state);
  watchForScaling(scalingController, state, (poolKey) => budget.waiting(poolKey));
  watchForEvacuation(evacuationController, state, nodes.store);

  const elector = options.leaderElection
    ? new LeaderElector({ client, namespace, name: LEASE_NAME, identity: instance, registry, log })
    : undefined;
  const manager = new Manager({
    ...(elector && { elector }),
    exit: options.exit,
    log,
    stopTimeoutMs: 30_000,
  });
  const probes = new ProbeServer({
    port: options.probePort,
    ...(options.probeHost !== undefined && { host: options.probeHost }),
    livez: {},
    readyz: { caches: () => manager.ready() },
    registry,
  });
  manager.addServer(probes);
  for (const reflector of Object.values(state)) manager.addCache(reflector);
  manager.add(nodes);
  manager.add({ name: 'events', run: (signal) => events.run(signal) }, { leaderOnly: true });
  manager.add(routes, { leaderOnly: true });
  for (const controller of [
    poolController,
    modelController,
    routesController,
    snapshotsController,
    scalingController,
    evacuationController,
  ])
    manager.add(controller, { leaderOnly: true });
  if (metricsApi) manager.add(metricsApi, { leaderOnly: true });
  return { manager, probes };

  function createMetricsApi({ address, port, host }: MetricsApiOptions): ExternalMetricsApi {
    const certificates = new CertificateKeeper({
      issue: (authority) =>
        issueServingCertificate(
          authority,
          { dnsNames: metricsDnsNames(namespace) },
          { now: new Date(clock.now()) },
        ),
      now: () => new Date(clock.now()),
    });
    return new ExternalMetricsApi({
      client,
      namespace,
      address,
      port,
      ...(host !== undefined && { host }),
      certificate: async (signal) => await certificates.get(await identity.load(signal)),
      trustBundle: async (signal) => (await identity.authority(signal)).trustBundle,
      ownerClusterRole: OWNER_CLUSTER_ROLE,
      source: (ofNamespace) =>
        state.models.store.byIndex('byNamespace', ofNamespace).map((model) => {
          const { known, inFlight, queued, held } = demand.of(poolKeyOf(model), model.metadata.uid ?? '');
          return { model: labelValue(model.metadata.name), value: inFlight + queued + held, known };
        }),
      onChange: () => {
        for (const key of state.models.store.keys()) modelController.enqueue(key);
      },
      registry,
      log,
      clock,
    });
  }
}
