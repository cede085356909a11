/** How soon every router runs a change of one model among thousands: real compiler and fleet, real nginx. */
import { Registry } from 'prom-client';
import { inferenceModelSpec } from '../../../operator/api/inference-model.ts';
import { inferencePoolSpec } from '../../../operator/api/inference-pool.ts';
import type { InferenceModel, InferencePool } from '../../../operator/api/types.ts';
import { AcceptanceCache } from '../../../operator/controllers/acceptance/acceptance-cache.ts';
import { GrantLedger } from '../../../operator/controllers/acceptance/grant-ledger.ts';
import { ModelRoutes } from '../../../operator/controllers/routes/model-routes.ts';
import { Lifecycles } from '../../../operator/controllers/scaling/lifecycles.ts';
import { createClusterState } from '../../../operator/controllers/shared/cluster-state.ts';
import { Departures } from '../../../operator/controllers/shared/departures.ts';
import { Resolutions } from '../../../operator/controllers/shared/resolutions.ts';
import { KubeClient } from '../../../operator/kube/client.ts';
import { sleep, systemClock } from '../../../operator/kube/clock.ts';
import { connectionTo } from '../../../operator/kube/connection.ts';
import { silentLogger } from '../../../operator/kube/logger.ts';
import { Transport } from '../../../operator/kube/transport.ts';
import { createAuthority, issueClientCertificate } from '../../../operator/pki/pki.ts';
import { engineLabels } from '../../../operator/render/labels.ts';
import { compileRouteTable } from '../../../operator/router/compile-route-table.ts';
import type { EndpointSlice } from '../../../operator/router/endpoints-from-slices.ts';
import { Notifier } from '../../../operator/router/notifier.ts';
import type { RouteTable } from '../../../operator/router/route-table.ts';
import { RouterAdmin } from '../../../operator/router/router-admin.ts';
import { RouterFleet } from '../../../operator/router/router-fleet.ts';
import { type Router, startRouter } from '../../integration/router/support/router.ts';
import { cpuSeconds, descendants } from './cpu-time.ts';
import { printMilliseconds } from './quantile.ts';

const NAMESPACE = 'bench';
/** A model of the pool changes about this often. */
const PAUSE_MS = 30;

/** Compiles and publishes `changes` times; each adds or removes the engine of one model. */
export async function measureRouteChanges(
  { models, routers, changes }: { models: number; routers: number; changes: number },
  signal: AbortSignal,
): Promise<void> {
  const authority = await createAuthority({ now: new Date() });
  const certificate = await issueClientCertificate(authority, { now: new Date() });
  const admin = new RouterAdmin({ certificate: async () => certificate });
  const changed = new Notifier();
  const fleet = new RouterFleet({ admin, listener: { onStatus: () => changed.notify() } });
  const whenConfirmed = async (version: number) => {
    while (!fleet.isConfirmed(version)) await changed.wait(signal);
  };
  const started: Router[] = [];
  const { routes, put } = await pool(models);
  try {
    for (let i = 0; i < routers; i++) started.push(await startRouter({ authority }));
    fleet.setRouters(
      started.map(({ address }, i) => ({
        id: `r${i}`,
        name: `r${i}`,
        address: `${address}:8081`,
        ready: true,
        stopping: false,
      })),
    );
    let table = routes(undefined);
    fleet.publish(table);
    await whenConfirmed(table.version);
    const nginx = (await Promise.all(started.map(({ pid }) => descendants(pid)))).flat();
    const cpu = async () => (await Promise.all(nginx.map(cpuSeconds))).reduce((sum, each) => sum + each, 0);
    await sleep(2_000);
    const cpuBefore = await cpu();
    const ownBefore = process.cpuUsage();
    const took: number[] = [];
    for (let i = 0; i < changes; i++) {
      put((i * 37) % models, i);
      const began = performance.now();
      table = routes(table);
      fleet.publish(table);
      await whenConfirmed(table.version);
      took.push(performance.now() - began);
      await sleep(PAUSE_MS);
    }
    const { user, system } = process.cpuUsage(ownBefore);
    const name = `route_change_${models}_models_${routers}_routers`;
    printMilliseconds(name, took);
    console.log(`${name}_operator_cpu ${((user + system) / 1_000 / changes).toFixed(1)} ms/change`);
    console.log(
      `${name}_router_cpu ${((((await cpu()) - cpuBefore) * 1_000) / changes / routers).toFixed(1)} ms/change/router`,
    );
  } finally {
    await fleet.close();
    await admin.close();
    await Promise.all(started.map(async (router) => await router.close()));
  }
}

/** A pool of sleeping models in the operator's stores; `put` gives one of them an engine. */
async function pool(count: number): Promise<{
  routes: (previous: RouteTable | undefined) => RouteTable;
  put: (index: number, version: number) => void;
}> {
  const transport = new Transport({ connection: connectionTo({ server: 'http://127.0.0.1:1' }) });
  const client = new KubeClient(transport, { fieldManager: 'bench' });
  const state = createClusterState({ client, log: silentLogger, registry: new Registry() });
  const object: InferencePool = {
    apiVersion: 'vllm-operator.dev/v1alpha1',
    kind: 'InferencePool',
    metadata: { name: 'pool', namespace: NAMESPACE, uid: 'pool', generation: 1, resourceVersion: '1' },
    spec: inferencePoolSpec.parse({ accelerator: { type: 'L4' }, capacity: { modelsPerNamespace: count } }),
  };
  const models = Array.from(
    { length: count },
    (_, i): InferenceModel => ({
      apiVersion: 'vllm-operator.dev/v1alpha1',
      kind: 'InferenceModel',
      metadata: {
        name: `m-${i}`,
        namespace: NAMESPACE,
        uid: `00000000-0000-4000-8000-${String(i).padStart(12, '0')}`,
        generation: 1,
        resourceVersion: '1',
        creationTimestamp: '2026-01-01T00:00:00Z',
      },
      spec: inferenceModelSpec.parse({
        poolRef: { name: 'pool' },
        model: { source: 'hf://Qwen/Qwen2.5-0.5B-Instruct' },
        scaling: { minReplicas: 0 },
      }),
    }),
  );
  state.pools.store.replace([object], '1');
  state.models.store.replace(models, '1');
  const records = { apply: async (_type: unknown, written: object) => written } as unknown as KubeClient;
  const ledger = new GrantLedger(records, state.pools.store);
  const resolutions = new Resolutions(state);
  const acceptance = new AcceptanceCache({ state, resolutions, clock: systemClock, ledger });
  const options = {
    state,
    resolutions,
    acceptance,
    lifecycles: new Lifecycles(state.models.store),
    departures: new Departures(state.models.store),
    log: silentLogger,
  };
  const modelRoutes = new ModelRoutes(options);
  acceptance.verdicts(object);
  await ledger.saveAll(object);
  return {
    routes: (previous) =>
      compileRouteTable({
        pool: object,
        models: modelRoutes.of(object),
        keys: [],
        previous,
        now: Date.now(),
      }),
    put: (index, version) => {
      const slice: EndpointSlice = {
        apiVersion: 'discovery.k8s.io/v1',
        kind: 'EndpointSlice',
        metadata: {
          name: `m-${index}`,
          namespace: NAMESPACE,
          uid: `slice-${index}`,
          labels: engineLabels({ name: `m-${index}`, namespace: NAMESPACE }, object.metadata),
          resourceVersion: String(version + 2),
        },
        addressType: 'IPv4',
        ports: [{ name: 'http', port: 8000 }],
        endpoints: [{ addresses: [`10.${(version >> 16) & 255}.${(version >> 8) & 255}.${version & 255}`] }],
      };
      state.endpointSlices.store.upsert(slice);
    },
  };
}
