/** State that controllers share. Each part has one writer and several readers. */
import { keyOf } from '../kube/key.ts';
import type { ExternalMetricsApi } from '../metrics-api/external-metrics-api.ts';
import { type MetricsApiAddress, setupMetricsApi } from '../metrics-api/setup.ts';
import { poolKeyOf } from '../model/pool-key.ts';
import { labelValue } from '../render/names.ts';
import { ColdStartRecorder } from '../scaling/cold-start-recorder.ts';
import { DemandTracker } from '../scaling/demand.ts';
import { AcceptanceCache } from './acceptance/acceptance-cache.ts';
import { Assessments } from './acceptance/assessments.ts';
import { GrantLedger } from './acceptance/grant-ledger.ts';
import { NodeNotices } from './evacuation/node-notices.ts';
import { ShownTiers } from './model/shown-tiers.ts';
import { AcceleratorBudget } from './scaling/accelerator-budget.ts';
import { BoundsCache } from './scaling/bounds-cache.ts';
import { Lifecycles } from './scaling/lifecycles.ts';
import { ReplicasWriter } from './scaling/replicas-writer.ts';
import { ScalingModes } from './scaling/scaling-modes.ts';
import { byModel } from './shared/cluster-state.ts';
import { addModel, type OperatorContext } from './shared/context.ts';
import { Departures } from './shared/departures.ts';
import { MountFailures } from './shared/mount-failures.ts';
import { Resolutions } from './shared/resolutions.ts';
import { AdviceStatuses } from './usage/advice-statuses.ts';
import { DemandPeaks } from './usage/demand-peaks.ts';
import { NamespaceBudgets } from './usage/namespace-budgets.ts';
import { PodPrices } from './usage/pod-prices.ts';
import { UsageStatuses } from './usage/usage-statuses.ts';

export interface Views {
  ledger: GrantLedger;
  resolutions: Resolutions;
  acceptance: AcceptanceCache;
  assessments: Assessments;
  lifecycles: Lifecycles;
  departures: Departures;
  replicas: ReplicasWriter;
  bounds: BoundsCache;
  coldStarts: ColdStartRecorder;
  demand: DemandTracker;
  peaks: DemandPeaks;
  budget: AcceleratorBudget;
  modes: ScalingModes;
  mounts: MountFailures;
  /** Notices of nodes, which are read while a pool of spot nodes exists. */
  nodes: NodeNotices;
  prices: PodPrices;
  usage: UsageStatuses;
  advice: AdviceStatuses;
  budgets: NamespaceBudgets;
  shownTiers: ShownTiers;
  /** Absent if this process does not serve the metrics API. */
  metricsApi: ExternalMetricsApi | undefined;
}

/** A request that waits for a model takes precedence over all other work in the queue. */
const WAKE_PRIORITY = 100;

/** The routers of a pool report the same load within about a second. One write of the status covers them. */
const TIER_DELAY_MS = 1_000;

/** Creates the parts in dependency order. */
export function createViews(context: OperatorContext, metricsApiAddress?: MetricsApiAddress): Views {
  const { client, state, clock } = context;
  const models = state.models.store;
  const ledger = new GrantLedger(client, state.pools.store);
  const resolutions = new Resolutions(state);
  const acceptance = createAcceptance(context, resolutions, ledger);
  const assessments = new Assessments({ state, resolutions, acceptance, clock });
  const lifecycles = new Lifecycles(models);
  const departures = new Departures(models);
  const replicas = new ReplicasWriter(client, models);
  const bounds = new BoundsCache();
  const coldStarts = createColdStarts(context);
  const peaks = new DemandPeaks({ models, clock, demandOf: (poolKey, uid) => demand.of(poolKey, uid) });
  const demand: DemandTracker = createDemand(context, coldStarts, peaks);
  const budget = new AcceleratorBudget({
    state,
    resolutions,
    acceptance,
    lifecycles,
    replicas,
    departures,
    demand,
    minReplicas: (scaling) => bounds.of(scaling, clock.now()).minReplicas,
  });
  const metricsApi = metricsApiAddress && createMetricsApi(context, metricsApiAddress, demand);
  const modes = new ScalingModes({ state, clock, metricsApi: () => metricsApi?.state() ?? NO_METRICS_API });
  const nodes = new NodeNotices({
    client,
    pools: state.pools.store,
    log: context.log,
    registry: context.registry,
  });
  return {
    ledger,
    resolutions,
    acceptance,
    assessments,
    lifecycles,
    departures,
    replicas,
    bounds,
    coldStarts,
    demand,
    peaks,
    budget,
    modes,
    mounts: new MountFailures({ client, pods: state.pods.store, clock }),
    nodes,
    prices: new PodPrices(nodes),
    usage: new UsageStatuses(context),
    advice: new AdviceStatuses(context),
    budgets: new NamespaceBudgets(context),
    shownTiers: new ShownTiers({ clock, models, demand }),
    metricsApi,
  };
}

const NO_METRICS_API = {
  owner: 'off',
  message: 'this operator does not serve the metrics API (--metrics-api-address is not set)',
} as const;

function createAcceptance(
  { state, queues, clock }: OperatorContext,
  resolutions: Resolutions,
  ledger: GrantLedger,
): AcceptanceCache {
  return new AcceptanceCache({
    state,
    resolutions,
    ledger,
    clock,
    onStale: (poolKey) => queues.routes.add(poolKey),
    onChanged: (modelKeys) => {
      for (const key of modelKeys) {
        queues.inferencemodel.add(key);
        queues.scaling.add(key);
      }
    },
  });
}

function createColdStarts({ state, queues, clock, registry }: OperatorContext): ColdStartRecorder {
  const coldStarts = new ColdStartRecorder({
    models: state.models.store,
    clock,
    registry,
    onRecorded: (uid) => addModel(queues.inferencemodel, state, uid),
  });
  // Not through a work queue, because that would delay what is measured.
  state.pods.store.subscribe(({ new: pod }) => {
    for (const key of pod ? byModel(pod) : []) {
      const uid = state.models.store.get(key)?.metadata.uid ?? '';
      // Anyone can put the label on thousands of pods of a namespace.
      if (coldStarts.isStarting(uid)) coldStarts.pods(uid, state.pods.store.byIndex('byModel', key));
    }
  });
  return coldStarts;
}

function createDemand(
  { state, queues, clock }: OperatorContext,
  coldStarts: ColdStartRecorder,
  peaks: DemandPeaks,
): DemandTracker {
  return new DemandTracker({
    models: state.models.store,
    clock,
    isModelOf: (poolKey, uid) =>
      state.models.store.byIndex('byUid', uid).some((model) => poolKeyOf(model) === poolKey),
    onHeld: (_pool, uid) => {
      coldStarts.held(uid);
      addModel(queues.scaling, state, uid, { priority: WAKE_PRIORITY });
    },
    onRisen: (poolKey, uid) => peaks.risen(poolKey, uid),
    onReleased: (_pool, uid) => {
      coldStarts.firstByte(uid);
      coldStarts.released(uid);
    },
    onBusy: (_pool, uid) => addModel(queues.scaling, state, uid),
    onTier: (uid) => {
      for (const model of state.models.store.byIndex('byUid', uid))
        queues.inferencemodel.addAfter(keyOf(model), TIER_DELAY_MS);
    },
  });
}

function createMetricsApi(
  context: OperatorContext,
  address: MetricsApiAddress,
  demand: DemandTracker,
): ExternalMetricsApi {
  const { models } = context.state;
  return setupMetricsApi(context, address, {
    source: (namespace) =>
      models.store.byIndex('byNamespace', namespace).map((model) => {
        const { known, inFlight, queued, held } = demand.of(poolKeyOf(model), model.metadata.uid ?? '');
        return { model: labelValue(model.metadata.name), value: inFlight + queued + held, known };
      }),
    onChange: () => {
      for (const model of models.store.list()) context.queues.inferencemodel.add(keyOf(model));
    },
  });
}
