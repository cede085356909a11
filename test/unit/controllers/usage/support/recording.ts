/** Operators that record the usage of a pool with one model. */
import { Resolutions } from '../../../../../operator/controllers/shared/resolutions.ts';
import type { ConfigMap, Pod } from '../../../../../operator/controllers/shared/workloads.ts';
import { DemandPeaks } from '../../../../../operator/controllers/usage/demand-peaks.ts';
import { PodPrices } from '../../../../../operator/controllers/usage/pod-prices.ts';
import { RouterCounts } from '../../../../../operator/controllers/usage/router-counts.ts';
import { UsageObserver } from '../../../../../operator/controllers/usage/usage-observer.ts';
import { UsageRecorder } from '../../../../../operator/controllers/usage/usage-recorder.ts';
import type { KubeClient } from '../../../../../operator/kube/client.ts';
import { secondTime } from '../../../../../operator/kube/clock.ts';
import { keyOf } from '../../../../../operator/kube/key.ts';
import { silentLogger } from '../../../../../operator/kube/logger.ts';
import { engineLabels } from '../../../../../operator/render/labels.ts';
import type { UsageReport } from '../../../../../operator/router/protocol.ts';
import { ColdStartRecorder } from '../../../../../operator/scaling/cold-start-recorder.ts';
import { DemandTracker } from '../../../../../operator/scaling/demand.ts';
import { FakeClock } from '../../../kube/support/fake-clock.ts';
import { allOf } from '../../../usage/support.ts';
import { aModel, aPool } from '../../fixtures.ts';
import { aGrantStore, anAcceptance, aState, put } from '../../support.ts';

const EVENING = Date.UTC(2026, 10, 27, 23, 0);

/** A router that counts requests of `chat`, and gives each batch until it is asked for the next one. */
function aRouter() {
  let [waiting, id] = [0, 0];
  let batch: UsageReport | undefined;
  return {
    ask: (requests: number) => {
      waiting += requests;
    },
    usage: (after: (router: string) => number) => {
      if (batch && batch.id <= after('router')) batch = undefined;
      if (!batch && waiting > 0) {
        id += 1;
        batch = {
          id,
          counts: {
            'uid-chat': { team: [waiting, 7 * waiting, 3 * waiting, 0, 0, 10] },
            'uid-of-others': { team: [9, 9, 9, 9, 9, 9] },
          },
        };
        waiting = 0;
      }
      return [{ router: 'router', report: batch ?? { id, counts: {} } }];
    },
  };
}

/** A pool with a model, and operators that come and go beside the same API server. */
export function setUpRecording(accelerator: object = {}) {
  const state = aState();
  const clock = new FakeClock({ wall: EVENING });
  const server = aGrantStore();
  const writes: string[] = [];
  /** Writes until the process dies. */
  let left = Number.POSITIVE_INFINITY;
  const client = {
    ...server,
    apply: async (type: unknown, object: ConfigMap) => {
      if (left === 0) throw new Error('the process is dead');
      left -= 1;
      writes.push(object.metadata.name);
      return await server.apply(type, object);
    },
  } as unknown as KubeClient;
  const routers = aRouter();
  const pool = put(
    state.pools.store,
    aPool({ accelerator: { type: 'A100x2', hourlyCost: '2.50', ...accelerator } }),
  );
  const model = put(state.models.store, aModel('chat'));
  /** The demand that the operator of now was told, and the cold starts that it saw. */
  let demand: DemandTracker;
  let coldStarts: ColdStartRecorder;
  const said = new Map<string, [number, number]>();
  const report = (router: string) => {
    const [inFlight, queued] = said.get(router) ?? [0, 0];
    demand.report(keyOf(pool), router, {
      seq: 1,
      version: 1,
      models: { 'uid-chat': { inFlight, queued, held: 0, ageMs: 0 } },
    });
  };
  const operator = () => {
    const models = state.models.store;
    const peaks: DemandPeaks = new DemandPeaks({
      models,
      clock,
      demandOf: (poolKey, uid) => demand.of(poolKey, uid),
    });
    demand = new DemandTracker({
      models,
      clock,
      isModelOf: (_pool, uid) => uid === 'uid-chat',
      onHeld: () => undefined,
      onBusy: () => undefined,
      onRisen: (poolKey, uid) => peaks.risen(poolKey, uid),
    });
    coldStarts = new ColdStartRecorder({ models, clock });
    const observer = new UsageObserver({
      state,
      resolutions: new Resolutions(state),
      acceptance: anAcceptance(state),
      prices: new PodPrices({ isSpot: (name) => name === 'spot' }),
      peaks,
      coldStarts,
      clock,
    });
    const counts = new RouterCounts({ state, usageOf: async (_pool, after) => routers.usage(after) });
    return new UsageRecorder({ client, state, observer, counts, clock, log: silentLogger });
  };
  const engine = (name: string): Pod => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'platform',
      uid: name,
      labels: engineLabels(model.metadata, pool.metadata),
      creationTimestamp: secondTime(clock.now()),
    },
    spec: { containers: [{ name: 'vllm', resources: { limits: { 'nvidia.com/gpu': '2' } } }] },
    status: { phase: 'Running', startTime: secondTime(clock.now()) },
  });
  return {
    state,
    clock,
    server,
    writes,
    routers,
    pool,
    operator,
    engine,
    setRouters: (...names: string[]) => {
      said.clear();
      demand.setRouters(keyOf(pool), names);
    },
    /** A report of a router about `chat`. */
    reports: (router: string, inFlight: number, queued = 0) => {
      said.set(router, [inFlight, queued]);
      report(router);
    },
    /** Routers that have reported go on, every two seconds. */
    pass: async (milliseconds: number) => {
      for (let left = milliseconds; left > 0; left -= 2_000) {
        await clock.advance(Math.min(left, 2_000));
        for (const router of said.keys()) report(router);
      }
    },
    coldStart: async (milliseconds: number) => {
      coldStarts.held('uid-chat');
      coldStarts.scaled('uid-chat');
      coldStarts.pods('uid-chat', [scheduledPod(clock.now())]);
      await clock.advance(milliseconds);
      coldStarts.routed('uid-chat');
      coldStarts.firstByte('uid-chat');
    },
    start: (name: string) => put(state.pods.store, engine(name)),
    stop: (name: string) => {
      const pod = state.pods.store.get({ namespace: 'platform', name });
      if (pod) state.pods.store.remove(pod);
    },
    dieAfter: (more: number) => {
      left = more;
    },
    counted: (recorder: UsageRecorder) => {
      const ledger = recorder.ledgers(pool).get('platform');
      return ledger && allOf(ledger, 'chat');
    },
    used: (recorder: UsageRecorder) => {
      const ledger = recorder.ledgers(pool).get('platform');
      return ledger ? allOf(ledger, 'chat').acceleratorMs : 0;
    },
  };
}

function scheduledPod(now: number) {
  const scheduled = { type: 'PodScheduled', status: 'True', lastTransitionTime: secondTime(now) };
  const running = { running: { startedAt: secondTime(now) } };
  return {
    metadata: { uid: 'a' },
    status: { conditions: [scheduled], containerStatuses: [{ state: running }] },
  };
}
