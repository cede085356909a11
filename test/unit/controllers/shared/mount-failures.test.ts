import { beforeEach, expect, it } from 'vitest';
import { MountFailures } from '../../../../operator/controllers/shared/mount-failures.ts';
import type { Pod } from '../../../../operator/controllers/shared/workloads.ts';
import type { KubeClient, ListOptions } from '../../../../operator/kube/client.ts';
import type { ResourceType } from '../../../../operator/kube/object.ts';
import { Store } from '../../../../operator/kube/store.ts';
import { FakeClock } from '../../kube/support/fake-clock.ts';

const { signal } = new AbortController();
const FAILED = 'MountVolume.SetUp failed for volume "tpl" : configmap "chat-template" not found';

let clock: FakeClock;
let pods: Store<Pod>;
let asked: ListOptions[];
let events: { reason: string; note: string }[];
let mounts: MountFailures;

beforeEach(() => {
  clock = new FakeClock();
  pods = new Store<Pod>();
  asked = [];
  events = [];
  const list = async (_type: ResourceType, options: ListOptions) => {
    asked.push(options);
    return { items: events, resourceVersion: '1' };
  };
  mounts = new MountFailures({ client: { list } as unknown as KubeClient, pods, clock });
});

/** A pod that the kubelet took on now. */
function aPod(status: Partial<NonNullable<Pod['status']>> = {}): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'x', namespace: 'team-a', uid: 'uid-x' },
    spec: { nodeName: 'node' },
    status: {
      phase: 'Pending',
      startTime: new Date(clock.now()).toISOString(),
      conditions: [{ type: 'PodReadyToStartContainers', status: 'False' }],
      containerStatuses: [
        {
          name: 'engine',
          ready: false,
          restartCount: 0,
          state: { waiting: { reason: 'ContainerCreating' } },
        },
      ],
      ...status,
    },
  };
}

it('asks for the events of a pod that has waited for long, and of no other', async () => {
  const pod = aPod();
  pods.upsert(pod);
  expect(await mounts.check([pod], signal)).toEqual({ changed: false, requeueAfterMs: 15_000 });
  await clock.advance(15_000);
  events = [
    { reason: 'FailedMount', note: 'Unable to attach or mount volumes: unmounted volumes=[tpl]' },
    { reason: 'BackOff', note: 'x' },
    { reason: 'FailedMount', note: FAILED },
  ];
  expect(await mounts.check([pod], signal)).toEqual({ changed: true, requeueAfterMs: 30_000 });
  expect(mounts.of(pod)).toBe(FAILED);
  expect(asked).toMatchObject([
    { namespace: 'team-a', fieldSelector: 'regarding.uid=uid-x,type=Warning', atMost: 50 },
  ]);
  await clock.advance(10_000);
  expect(await mounts.check([pod], signal)).toEqual({ changed: false, requeueAfterMs: 20_000 });
  expect(asked).toHaveLength(1);
});

it.each<[string, Partial<NonNullable<Pod['status']>>]>([
  ['pulls its image', { conditions: [{ type: 'PodReadyToStartContainers', status: 'True' }] }],
  [
    'runs, on a cluster without that condition',
    {
      conditions: [],
      containerStatuses: [{ name: 'engine', ready: false, restartCount: 0, state: { running: {} } }],
    },
  ],
  ['has ended', { phase: 'Failed' }],
])('asks for nothing when the pod %s', async (_, status) => {
  const pod = aPod(status);
  await clock.advance(60_000);
  expect(await mounts.check([pod], signal)).toEqual({ changed: false });
  expect(asked).toEqual([]);
});

it('says nothing of a pod that has its volumes by now', async () => {
  const pod = aPod();
  await clock.advance(15_000);
  events = [{ reason: 'FailedMount', note: FAILED }];
  await mounts.check([pod], signal);
  const mounted = aPod({ conditions: [{ type: 'PodReadyToStartContainers', status: 'True' }] });
  expect(mounts.of(mounted)).toBeUndefined();
});

it('forgets a deleted pod', async () => {
  const pod = { ...aPod(), metadata: { ...aPod().metadata, resourceVersion: '1' } };
  pods.upsert(pod);
  await clock.advance(15_000);
  events = [{ reason: 'FailedMount', note: FAILED }];
  await mounts.check([pod], signal);
  pods.remove(pod);
  expect(mounts.of(pod)).toBeUndefined();
});

it('asks for the events of a few pods only, however many wait', async () => {
  const many = Array.from({ length: 100 }, (_, i) => {
    const pod = aPod();
    return { ...pod, metadata: { ...pod.metadata, name: `x-${i}`, uid: `uid-${i}` } };
  });
  for (const pod of many) pods.upsert(pod);
  await clock.advance(15_000);
  expect(await mounts.check(many, signal)).toEqual({ changed: false, requeueAfterMs: 30_000 });
  expect(asked).toHaveLength(3);
  await mounts.check(many, signal);
  expect(asked).toHaveLength(3);
});
