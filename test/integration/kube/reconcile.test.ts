import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { Applier } from '../../../operator/kube/applier.ts';
import { setConditions } from '../../../operator/kube/conditions.ts';
import { Controller } from '../../../operator/kube/controller.ts';
import { LeaderElector } from '../../../operator/kube/elector.ts';
import { EventRecorder } from '../../../operator/kube/events.ts';
import { addFinalizer, removeFinalizer } from '../../../operator/kube/finalizers.ts';
import { keyOf } from '../../../operator/kube/key.ts';
import type { Lease } from '../../../operator/kube/lease.ts';
import type { KubeObject } from '../../../operator/kube/object.ts';
import { ownerKeys } from '../../../operator/kube/owner-keys.ts';
import type { Reflector } from '../../../operator/kube/reflector.ts';
import { CONFIG_MAPS, EVENTS, LEASES, SERVICES } from '../../../operator/kube/resource-types.ts';
import { StatusWriter } from '../../../operator/kube/status-writer.ts';
import { WriteTracker } from '../../../operator/kube/write-tracker.ts';
import { type Harness, startHarness } from './support/harness.ts';
import { WIDGETS, type Widget } from './support/widgets.ts';

interface ConfigMap extends KubeObject {
  data?: Record<string, string>;
}

let h: Harness;
let widgets: Reflector<Widget>;
let configMaps: Reflector<ConfigMap>;
let services: Reflector;
beforeAll(async () => {
  h = await startHarness();
  const selection = { namespace: h.namespace, freeze: true };
  widgets = await h.cache<Widget>({ type: WIDGETS, ...selection });
  configMaps = await h.cache<ConfigMap>({ type: CONFIG_MAPS, ...selection, labelSelector: 'made-by=test' });
  services = await h.cache({ type: SERVICES, ...selection });
});
afterAll(() => h.close());

const operators: { stop: () => Promise<void> }[] = [];
afterEach(async () => {
  for (const operator of operators.splice(0)) await operator.stop();
});

/** A whole operator for widgets: a ConfigMap and a Service for each, and a status. */
function startOperator() {
  const { client, requests } = h.countingClient('widget-operator');
  const tracker = new WriteTracker();
  const children = [
    { type: CONFIG_MAPS, store: configMaps.store },
    { type: SERVICES, store: services.store },
  ];
  const applier = new Applier({
    client,
    fieldManager: 'widget-operator',
    children,
    hashAnnotation: 'kube-test/applied-hash',
    tracker,
  });
  const status = new StatusWriter({ client, fieldManager: 'widget-status', tracker });
  let runs = 0;
  const controller = new Controller({
    name: 'widget',
    ready: (key) => tracker.isReady(key),
    reconcile: async (key, { signal }) => {
      runs++;
      const widget = widgets.store.get(key);
      if (widget === undefined || widget.metadata.deletionTimestamp) return;
      await applier.apply({ owner: widget, desired: desiredFor(widget), signal });
      const { generation } = widget.metadata;
      const updates = [
        {
          type: 'Ready',
          status: 'True' as const,
          reason: 'Applied',
          message: 'all children are in place',
          observedGeneration: generation,
        },
      ];
      const conditions = setConditions(widget.status?.conditions, updates, {
        now: Date.now(),
        order: ['Ready'],
      });
      const next = { conditions, ...(generation === undefined ? {} : { observedGeneration: generation }) };
      await status.write(WIDGETS, widget, next, { store: widgets.store, signal });
    },
  });
  controller.watch(widgets.store);
  controller.watch(configMaps.store, { map: ownerKeys('Widget') });
  controller.watch(services.store, { map: ownerKeys('Widget') });
  const abort = new AbortController();
  const running = controller.run(abort.signal);
  const operator = {
    requests,
    runs: () => runs,
    enqueue: (key: string) => controller.enqueue(key),
    async stop() {
      abort.abort();
      await running;
    },
  };
  operators.push(operator);
  return operator;
}

function desiredFor({ metadata: { name, namespace = '' }, spec: { size } }: Widget): KubeObject[] {
  const meta = { name, namespace, labels: { 'made-by': 'test' } };
  const service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: meta,
    spec: { selector: { widget: name }, ports: [{ name: 'http', port: 80, targetPort: 'http' }] },
  };
  const config = { apiVersion: 'v1', kind: 'ConfigMap', metadata: meta, data: { size: String(size) } };
  return size > 1 ? [config, service] : [config];
}

const isReady = (key: string) => {
  const widget = widgets.store.get(key);
  return (
    widget?.status?.observedGeneration === widget?.metadata.generation &&
    widget?.status?.conditions?.[0]?.status === 'True'
  );
};

describe('an operator', () => {
  test('makes children, undoes what others do to them, prunes, and is silent when all is well', async () => {
    const { client, namespace } = h;
    const operator = startOperator();
    const key = keyOf(await h.widget('one', 2));
    await expect
      .poll(
        () =>
          isReady(key) && configMaps.store.get(key) !== undefined && services.store.get(key) !== undefined,
        { message: 'ready' },
      )
      .toBeTruthy();

    // The event of a write can come before its answer, with which it is counted.
    await expect
      .poll(async () => (await operator.requests()).PATCH, { message: 'two children and the status' })
      .toBe(3);
    const before = await operator.requests();
    const runs = operator.runs();
    for (let round = 0; round < 5; round++) {
      operator.enqueue(key);
      await expect.poll(() => operator.runs() > runs + round, { message: 'another reconcile' }).toBe(true);
    }
    expect(await operator.requests(), 'unchanged objects cost no request').toEqual(before);

    const again = startOperator();
    await expect.poll(() => again.runs() > 0).toBe(true);
    await again.stop();
    expect(await again.requests(), 'nor do they after a restart').toEqual({});

    const theirs = { data: { size: '99' }, metadata: { annotations: { theirs: 'kept' } } };
    const foreign = await client.patch(
      CONFIG_MAPS,
      { namespace, name: 'one' },
      { merge: theirs },
      { fieldManager: 'meddler' },
    );
    const undone = Number(foreign.metadata.resourceVersion) + 1;
    await expect
      .poll(() => Number(configMaps.store.get(key)?.metadata.resourceVersion) >= undone, {
        message: 'the foreign change is answered',
      })
      .toBe(true);
    expect(configMaps.store.get(key)).toMatchObject({
      metadata: { annotations: { theirs: 'kept' } },
      data: { size: '2' },
    });

    const { uid } = configMaps.store.get(key)?.metadata ?? {};
    await client.delete(CONFIG_MAPS, { namespace, name: 'one' });
    await expect
      .poll(() => ![undefined, uid].includes(configMaps.store.get(key)?.metadata.uid), {
        message: 'the child is back',
      })
      .toBe(true);

    await client.patch(WIDGETS, { namespace, name: 'one' }, { merge: { spec: { size: 1 } } });
    await expect
      .poll(
        () =>
          services.store.get(key) === undefined &&
          configMaps.store.get(key)?.data?.size === '1' &&
          isReady(key),
        { message: 'the service is pruned' },
      )
      .toBeTruthy();

    const { metadata: owner } = await client.get(WIDGETS, { namespace, name: 'one' });
    expect(configMaps.store.get(key)?.metadata.ownerReferences?.map(({ uid }) => uid)).toEqual([owner.uid]);
    await client.delete(WIDGETS, { namespace, name: 'one' });
    if (h.collectsGarbage)
      await expect
        .poll(() => configMaps.store.get(key), { message: 'the children go with their owner' })
        .toBe(undefined);
  });

  test('many objects at once end up right, and then there is silence', async () => {
    const operator = startOperator();
    const made = await Promise.all(Array.from({ length: 40 }, (_, index) => h.widget(`many-${index}`)));
    await expect
      .poll(() => made.every((widget) => isReady(keyOf(widget))), { message: 'all are ready' })
      .toBeTruthy();
    let counted = JSON.stringify(await operator.requests());
    await expect
      .poll(
        async () => {
          const last = counted;
          counted = JSON.stringify(await operator.requests());
          return last === counted;
        },
        { message: 'silence', interval: 150 },
      )
      .toBeTruthy();
    expect(Object.keys(JSON.parse(counted)).sort()).toEqual(['GET', 'PATCH']);
    expect(JSON.parse(counted).PATCH, 'one for the child and one for the status').toBe(80);
  });
});

test('a status is not written to another object of the same name', async () => {
  const old = await h.widget('reborn');
  await h.client.delete(WIDGETS, old.metadata as { name: string });
  await h.widget('reborn');
  const writer = new StatusWriter({ client: h.client, fieldManager: 'widget-status' });
  expect((await writer.write(WIDGETS, old, { observedGeneration: 7 })).changed).toBe(false);
});

test('a finalizer holds an object until it is removed', async () => {
  const { client, signal } = h;
  const widget = await addFinalizer(client, WIDGETS, await h.widget('held'), 'kube-test.dev/hold', signal);
  await client.delete(WIDGETS, { namespace: h.namespace, name: 'held' });
  const going = await client.get<Widget>(WIDGETS, { namespace: h.namespace, name: 'held' });
  expect(going.metadata.deletionTimestamp).toBeDefined();
  await expect(removeFinalizer(client, WIDGETS, widget, 'kube-test.dev/hold')).rejects.toMatchObject({
    code: 'Conflict',
  });
  await removeFinalizer(client, WIDGETS, going, 'kube-test.dev/hold');
  await expect(client.get(WIDGETS, { namespace: h.namespace, name: 'held' })).rejects.toMatchObject({
    code: 'NotFound',
  });
});

test('events are accepted unchanged', async () => {
  const widget = await h.widget('eventful');
  const stop = new AbortController();
  const events = new EventRecorder({
    client: h.client,
    controller: 'kube-test.dev/operator',
    instance: 'test-0',
  });
  events.emit(widget, { type: 'Warning', reason: 'Tested', action: 'Test', note: 'it happened' });
  stop.abort();
  await events.run(stop.signal);
  const { items } = await h.client.list<KubeObject & { note: string; regarding: { uid: string } }>(EVENTS, {
    namespace: h.namespace,
  });
  expect(
    items.filter(({ regarding }) => regarding.uid === widget.metadata.uid).map(({ note }) => note),
  ).toEqual(['it happened']);
});

test('of two electors one leads, and the other after it', async () => {
  const leader = (identity: string) => {
    const elector = new LeaderElector({
      client: h.countingClient().client,
      namespace: h.namespace,
      name: 'election',
      identity,
      leaseDurationMs: 3_000,
      renewDeadlineMs: 2_000,
      retryPeriodMs: 200,
    });
    const abort = new AbortController();
    const elected = Promise.withResolvers<void>();
    const lost: string[] = [];
    const running = elector.run(abort.signal, {
      onElected: elected.resolve,
      onLost: (reason) => lost.push(reason),
    });
    return { elector, abort, elected: elected.promise, running, lost };
  };
  const first = leader('first');
  await first.elected;
  const second = leader('second');
  await expect
    .poll(
      async () =>
        ((await h.client.get<Lease>(LEASES, { namespace: h.namespace, name: 'election' })).spec?.renewTime ??
          '') !== '',
    )
    .toBe(true);
  expect([first.elector.isLeader, second.elector.isLeader]).toEqual([true, false]);
  first.abort.abort();
  await first.running;
  await second.elected;
  const { spec } = await h.client.get<Lease>(LEASES, { namespace: h.namespace, name: 'election' });
  expect(spec).toMatchObject({ holderIdentity: 'second', leaseTransitions: 1 });
  second.abort.abort();
  await second.running;
  expect([first.lost, second.lost]).toEqual([[], []]);
});

test('a local copy of metadata alone, and one that follows a selector', async () => {
  const bare = await h.cache({
    type: CONFIG_MAPS,
    namespace: h.namespace,
    labelSelector: 'kind=bare',
    metadataOnly: true,
  });
  const object = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'bare', namespace: h.namespace, labels: { kind: 'bare' } },
    data: { big: 'x' },
  };
  await h.client.create(CONFIG_MAPS, object);
  await expect.poll(() => bare.store.size).toBe(1);
  expect(bare.store.list()[0]).not.toHaveProperty('data');
  expect(bare.store.list()[0]?.metadata.managedFields).toBeUndefined();
  await h.client.patch(
    CONFIG_MAPS,
    { namespace: h.namespace, name: 'bare' },
    { merge: { metadata: { labels: { kind: 'other' } } } },
  );
  await expect
    .poll(() => bare.store.size, { message: 'an object that the selector no longer takes is gone' })
    .toBe(0);
});
