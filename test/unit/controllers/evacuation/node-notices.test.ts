import { Registry } from 'prom-client';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { InferencePool } from '../../../../operator/api/types.ts';
import { NodeNotices } from '../../../../operator/controllers/evacuation/node-notices.ts';
import type { KubeObject } from '../../../../operator/kube/object.ts';
import { NODES } from '../../../../operator/kube/resource-types.ts';
import { Store } from '../../../../operator/kube/store.ts';
import { fastClock } from '../../kube/support/fake-clock.ts';
import { MiniApi } from '../../kube/support/mini-api.ts';
import { aPool } from '../fixtures.ts';

const KEY = 'cloud.google.com/impending-node-termination';

let api: MiniApi;
let pools: Store<InferencePool>;
let stop: AbortController;
let running: Promise<void>;
let warnings: string[];
let notices: NodeNotices;

beforeEach(async () => {
  api = await MiniApi.start();
  pools = new Store<InferencePool>();
  stop = new AbortController();
  warnings = [];
  const log = {
    debug: () => {},
    info: () => {},
    warn: (_fields: object, message: string) => void warnings.push(message),
    error: () => {},
    child: () => log,
  };
  notices = new NodeNotices({
    client: api.client(),
    pools,
    log,
    registry: new Registry(),
    clock: fastClock(50),
  });
  running = notices.run(stop.signal);
});
afterEach(async () => {
  stop.abort();
  await running;
  await api.close();
});

const spotPool = (name: string) => aPool({ accelerator: { type: 'L4', spot: true } }, { name, uid: name });

function put(taints: object[], labels: Record<string, string> = {}): void {
  const node = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'gpu-0', labels }, spec: { taints } };
  api.store.put(NODES, node as KubeObject);
}

it('reads nodes from the first pool of spot nodes on, and follows them', async () => {
  put([{ key: KEY, effect: 'NoSchedule' }]);
  pools.upsert(aPool({}, { name: 'stable', uid: 'stable' }));
  await new Promise(setImmediate);
  expect(api.requests).toEqual([]);

  pools.upsert(spotPool('spot'));
  await expect.poll(() => notices.of('gpu-0')?.source, { message: 'the notice' }).toBe(KEY);
  put([]);
  await expect.poll(() => notices.of('gpu-0'), { message: 'the end of the notice' }).toBe(undefined);
});

it.each([
  ['cloud.google.com/gke-spot', 'true'],
  ['kubernetes.azure.com/scalesetpriority', 'spot'],
  ['eks.amazonaws.com/capacityType', 'SPOT'],
  ['karpenter.sh/capacity-type', 'spot'],
])('knows spot nodes by the label %s, also once they are gone', async (label, value) => {
  put([], { [label]: value });
  expect(notices.isSpot('gpu-0')).toBe(false);
  pools.upsert(spotPool('spot'));
  await expect.poll(() => notices.isSpot('gpu-0')).toBe(true);
  put([], { [label]: 'on-demand' });
  await expect.poll(() => notices.isSpot('gpu-0')).toBe(false);
  put([], { [label]: value });
  await expect.poll(() => notices.isSpot('gpu-0')).toBe(true);
  api.store.remove(NODES, 'gpu-0');
  await expect.poll(() => notices.store.size).toBe(0);
  expect(notices.isSpot('gpu-0')).toBe(true);
});

it('logs a missing permission for nodes once, works without it, and watches nodes once it is granted', async () => {
  let refusals = 0;
  api.fault = () => {
    if (refusals >= 2) return undefined;
    refusals += 1;
    const body = JSON.stringify({
      kind: 'Status',
      status: 'Failure',
      reason: 'Forbidden',
      code: 403,
      message: 'nodes is forbidden',
    });
    return { status: 403, headers: { 'content-type': 'application/json' }, body };
  };
  put([{ key: KEY, effect: 'NoSchedule' }]);
  pools.upsert(spotPool('spot'));
  await expect.poll(() => warnings.length > 0, { message: 'the warning' }).toBe(true);
  expect(notices.of('gpu-0')).toBeUndefined();
  await expect.poll(() => notices.of('gpu-0')?.source, { message: 'the notice' }).toBe(KEY);
  expect(warnings).toHaveLength(1);
});
