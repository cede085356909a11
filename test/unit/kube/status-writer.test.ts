import { Registry } from 'prom-client';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { addFinalizer, removeFinalizer } from '../../../operator/kube/finalizers.ts';
import { CONFIG_MAPS } from '../../../operator/kube/resource-types.ts';
import { StatusWriter } from '../../../operator/kube/status-writer.ts';
import { Store } from '../../../operator/kube/store.ts';
import { WriteTracker } from '../../../operator/kube/write-tracker.ts';
import { type ConfigMap, configMap, MiniApi } from './support/mini-api.ts';

interface Reporting extends ConfigMap {
  status?: object;
}

let api: MiniApi;
beforeEach(async () => {
  api = await MiniApi.start();
});
afterEach(() => api.close());

const condition = (status: string, lastTransitionTime: string) => ({
  conditions: [{ type: 'Ready', status, lastTransitionTime }],
  replicas: 1,
});

describe('status', () => {
  test('is written with name, version and status only, by its own field manager', async () => {
    const live: Reporting = api.store.put(CONFIG_MAPS, configMap('a', { spec: 'theirs' }));
    const writer = new StatusWriter({ client: api.client(), fieldManager: 'operator-status' });
    const { changed, object } = await writer.write(CONFIG_MAPS, live, condition('True', 't1'));
    expect([changed, object.status]).toEqual([true, condition('True', 't1')]);
    const [request] = api.writes;
    expect([request?.path, request?.query.get('fieldManager')]).toEqual([
      '/api/v1/namespaces/default/configmaps/a/status',
      'operator-status',
    ]);
    expect(JSON.parse(request?.body ?? '')).toEqual({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'a', namespace: 'default', resourceVersion: live.metadata.resourceVersion },
      status: condition('True', 't1'),
    });
  });

  test('that says nothing new is not written; times alone are nothing new', async () => {
    const registry = new Registry();
    const live: Reporting = api.store.put(CONFIG_MAPS, {
      ...configMap('a'),
      status: condition('True', 't1'),
    } as Reporting);
    const writer = new StatusWriter({ client: api.client(), fieldManager: 's', registry });
    const { changed, object } = await writer.write(CONFIG_MAPS, live, {
      ...condition('True', 't2'),
      absent: undefined,
    });
    expect([changed, object === live, api.writes]).toEqual([false, true, []]);
    await writer.write(CONFIG_MAPS, live, condition('False', 't2'));
    expect(api.writes).toHaveLength(1);
    const text = await registry.getSingleMetricAsString('status_writes_total');
    expect(text).toContain('{result="suppressed"} 1');
    expect(text).toContain('{result="written"} 1');
  });

  test('of a deleted or replaced object is ignored', async () => {
    const live: Reporting = api.store.put(CONFIG_MAPS, configMap('a'));
    const writer = new StatusWriter({ client: api.client(), fieldManager: 's' });
    api.store.remove(CONFIG_MAPS, 'default/a');
    expect((await writer.write(CONFIG_MAPS, live, { x: 1 })).changed).toBe(false);
    api.store.put(CONFIG_MAPS, configMap('a'));
    expect((await writer.write(CONFIG_MAPS, live, { x: 1 })).changed).toBe(false);
    expect(api.store.list(CONFIG_MAPS)[0]).not.toHaveProperty('status');
  });

  test('that was computed from an older version is not written: what changed brings another reconcile', async () => {
    const live: Reporting = api.store.put(CONFIG_MAPS, configMap('a'));
    api.store.put(CONFIG_MAPS, configMap('a', { changed: 'since' }));
    const writer = new StatusWriter({ client: api.client(), fieldManager: 's' });
    expect((await writer.write(CONFIG_MAPS, live, { x: 1 })).changed).toBe(false);
    expect(api.store.list(CONFIG_MAPS)[0]).not.toHaveProperty('status');
  });

  test('that was written is waited for', async () => {
    const live: Reporting = api.store.put(CONFIG_MAPS, configMap('a'));
    const store = new Store<Reporting>();
    store.replace([live], live.metadata.resourceVersion ?? '');
    const tracker = new WriteTracker();
    const { object } = await new StatusWriter({ client: api.client(), fieldManager: 's', tracker }).write(
      CONFIG_MAPS,
      live,
      { x: 1 },
      { store },
    );
    expect(tracker.isReady('default/a')).toBe(false);
    store.upsert(object);
    expect(tracker.isReady('default/a')).toBe(true);
  });
});

describe('finalizers', () => {
  const NAME = 'example.com/cleanup';

  test('are added and removed one by one, and not twice', async () => {
    const client = api.client();
    const live = api.store.put(CONFIG_MAPS, configMap('a', {}, { finalizers: ['other/one'] }));
    const added = await addFinalizer(client, CONFIG_MAPS, live, NAME);
    expect(added.metadata.finalizers).toEqual(['other/one', NAME]);
    expect(await addFinalizer(client, CONFIG_MAPS, added, NAME)).toBe(added);
    const removed = await removeFinalizer(client, CONFIG_MAPS, added, NAME);
    expect(removed.metadata.finalizers).toEqual(['other/one']);
    expect(await removeFinalizer(client, CONFIG_MAPS, removed, NAME)).toBe(removed);
    expect(api.writes).toHaveLength(2);
  });

  test("never cost another's: a stale object is a Conflict", async () => {
    const client = api.client();
    const stale = api.store.put(CONFIG_MAPS, configMap('a', {}, { finalizers: [NAME] }));
    api.store.put(CONFIG_MAPS, configMap('a', {}, { finalizers: [NAME, 'other/one'] }));
    await expect(removeFinalizer(client, CONFIG_MAPS, stale, NAME)).rejects.toMatchObject({
      code: 'Conflict',
    });
    api.store.remove(CONFIG_MAPS, 'default/a');
    expect(await removeFinalizer(client, CONFIG_MAPS, stale, NAME)).toBe(stale);
    await expect(addFinalizer(client, CONFIG_MAPS, configMap('a'), NAME)).rejects.toMatchObject({
      code: 'NotFound',
    });
  });
});
