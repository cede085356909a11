/** What it costs the operator to listen to its routers: real RouterFleet and DemandTracker, routers in another process. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../../../operator/kube/clock.ts';
import { Store } from '../../../operator/kube/store.ts';
import { createAuthority, issueClientCertificate, trustBundle } from '../../../operator/pki/pki.ts';
import { RouterAdmin } from '../../../operator/router/router-admin.ts';
import type { RouterEndpoint } from '../../../operator/router/router-endpoints.ts';
import { RouterFleet } from '../../../operator/router/router-fleet.ts';
import { DemandTracker } from '../../../operator/scaling/demand.ts';
import type { FakeRoutersRequest } from './fake-routers.ts';
import { modelUid } from './model-uid.ts';

export interface PollingLoad {
  routers: number;
  /** Models that routers report on. */
  models: number;
  seconds: number;
}

export interface PollingCost {
  /** Share of one core. */
  cpu: number;
  /** Bodies of reports. */
  bytesPerSecond: number;
  reportsPerSecond: number;
}

const POOL = 'bench/pool';
const WARM_UP_MS = 2_000;

/** Polls for a while, and reads the CPU time of this process. */
export async function measureDemandPolling(load: PollingLoad, signal: AbortSignal): Promise<PollingCost> {
  const authority = await createAuthority({ now: new Date() });
  const certificate = await issueClientCertificate(authority, { now: new Date() });
  const admin = new RouterAdmin({ certificate: async () => certificate });
  const tracker = new DemandTracker({
    clock: systemClock,
    models: reportedModels(load.models),
    isModelOf: () => true,
    onHeld: () => {},
    onBusy: () => {},
  });
  const child = fork(fileURLToPath(new URL('./fake-routers.ts', import.meta.url)));
  let reports = 0;
  let bytes = 0;
  let reportBytes: number | undefined;
  const fleet = new RouterFleet({
    admin,
    listener: {
      onReport: ({ id }, report) => {
        tracker.report(POOL, id, report);
        reports += 1;
        // Reports are alike: weighing one is enough, and weighing all would be part of what is measured.
        reportBytes ??= JSON.stringify(report).length;
        bytes += reportBytes;
      },
    },
  });
  try {
    const endpoints = await startRouters(child, { ...load, clientCa: trustBundle(authority) }, signal);
    tracker.setRouters(
      POOL,
      endpoints.map(({ id }) => id),
    );
    fleet.setRouters(endpoints);
    await delay(WARM_UP_MS, undefined, { signal });
    reports = 0;
    bytes = 0;
    const before = process.cpuUsage();
    const startedAt = performance.now();
    await delay(load.seconds * 1000, undefined, { signal });
    const seconds = (performance.now() - startedAt) / 1000;
    const { user, system } = process.cpuUsage(before);
    if (!tracker.of(POOL, 'any').known) throw new Error('a router did not keep up');
    return {
      cpu: (user + system) / 1e6 / seconds,
      bytesPerSecond: bytes / seconds,
      reportsPerSecond: reports / seconds,
    };
  } finally {
    await fleet.close();
    await admin.close();
    child.disconnect();
    await once(child, 'exit');
  }
}

async function startRouters(
  child: ChildProcess,
  request: FakeRoutersRequest,
  signal: AbortSignal,
): Promise<RouterEndpoint[]> {
  child.send(request);
  const [endpoints] = (await once(child, 'message', { signal })) as [RouterEndpoint[]];
  return endpoints;
}

/** The models that the fake routers report on. */
function reportedModels(count: number): Store {
  const store = new Store();
  for (let i = 0; i < count; i++) {
    const metadata = { name: `m-${i}`, namespace: 'bench', uid: modelUid(i) };
    store.upsert({ apiVersion: 'v1', kind: 'Model', metadata });
  }
  return store;
}
