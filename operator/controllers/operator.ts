/** The composition root: wires caches, controllers, leader election and servers. Nothing runs until `run`. */
import type { Registry } from 'prom-client';
import type { KubeClient } from '../kube/client.ts';
import { type Clock, systemClock } from '../kube/clock.ts';
import { LeaderElector } from '../kube/elector.ts';
import type { Logger } from '../kube/logger.ts';
import { Manager } from '../kube/manager.ts';
import { ProbeServer } from '../kube/probes.ts';
import type { MetricsApiAddress } from '../metrics-api/setup.ts';
import type { ImageDefaults } from '../render/image-defaults.ts';
import { setupEvacuation } from './evacuation/setup.ts';
import { setupGauges } from './gauges/setup.ts';
import { setupModels } from './model/setup.ts';
import { LEASE_NAME } from './permissions.ts';
import { setupPools } from './pool/setup.ts';
import { setupRoutes } from './routes/setup.ts';
import { setupScaling } from './scaling/setup.ts';
import { createContext } from './shared/context.ts';
import { Adviser } from './usage/adviser.ts';
import { setupUsage } from './usage/setup.ts';
import { createViews } from './views.ts';

export interface OperatorOptions {
  client: KubeClient;
  /** Namespace of the operator's Lease and root key. */
  namespace: string;
  /** Unique per process, for example the pod name. */
  identity: string;
  log: Logger;
  registry: Registry;
  clock?: Clock;
  leaderElection: boolean;
  /** Port of probes and metrics; 0 selects a free one. */
  probePort: number;
  probeHost?: string;
  /** Runs before the caches fill. Probes already answer meanwhile. */
  prepare?: (signal: AbortSignal) => Promise<void>;
  exit: (code: number) => void;
  /** Address of the external metrics API for HPAs. If absent, the operator's own autoscaler scales. */
  metricsApi?: MetricsApiAddress | undefined;
  /** Images and pull secrets where pools and models name none. */
  images?: ImageDefaults;
}

/** Time limit of a graceful shutdown. Shorter than the termination grace period of the operator's pod. */
const STOP_TIMEOUT_MS = 30_000;

/** For the Lease alone. Watches and requests that a slow API server holds up may use all others. */
const LEASE_CONNECTIONS = 1;

/** Creates the operator. `probes.port` is known once it runs. */
export function createOperator(options: OperatorOptions): { manager: Manager; probes: ProbeServer } {
  const { client, namespace, identity, log, registry, exit, clock = systemClock } = options;
  const context = createContext({
    client,
    namespace,
    identity,
    clock,
    log,
    registry,
    ...(options.images && { images: options.images }),
  });
  const views = createViews(context, options.metricsApi);
  const { demand, mounts, metricsApi } = views;

  const { routes, controllers } = setupRoutes(context, views);
  const heldBackSince = routes.heldBackSince.bind(routes);
  const pools = setupPools(context, views);
  const models = setupModels(context, { ...views, routeStateOf: routes.routeStateOf.bind(routes) });
  const scaling = setupScaling(context, { ...views, heldBackSince, mountFailure: mounts.of });
  const evacuation = setupEvacuation(context, {
    ...views,
    isIdle: (poolKey, uid) => {
      const { known, inFlight } = demand.of(poolKey, uid);
      return known && inFlight === 0 && demand.confirmed(poolKey, heldBackSince(poolKey, uid));
    },
  });

  const elector = options.leaderElection
    ? new LeaderElector({
        client: client.withOwnConnections(LEASE_CONNECTIONS),
        ...{ namespace, name: LEASE_NAME, identity, registry, log },
      })
    : undefined;
  const manager = new Manager({
    ...(elector && { elector }),
    ...(options.prepare && { prepare: options.prepare }),
    exit,
    log,
    stopTimeoutMs: STOP_TIMEOUT_MS,
  });
  const probes = new ProbeServer({
    port: options.probePort,
    ...(options.probeHost !== undefined && { host: options.probeHost }),
    livez: {},
    readyz: { caches: () => manager.ready() },
    registry,
  });
  manager.addServer(probes);
  for (const reflector of Object.values(context.state)) manager.addCache(reflector);
  manager.add(views.nodes);
  const events = { name: 'events', run: (signal: AbortSignal) => context.events.run(signal) };
  const gauges = setupGauges(context, views);
  const usage = setupUsage(context, { ...views, usageOf: routes.usage.bind(routes) });
  const adviser = new Adviser({ ...context, ...views, ledgersOf: usage.ledgers.bind(usage) });
  const parts = [events, routes, pools, models, ...controllers, scaling, evacuation, gauges, usage, adviser];
  for (const part of parts) manager.add(part, { leaderOnly: true });
  if (metricsApi) manager.add(metricsApi, { leaderOnly: true });
  return { manager, probes };
}
