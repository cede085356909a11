import { expect, test } from 'vitest';
import { Store } from '../../../operator/kube/store.ts';
import { WriteTracker } from '../../../operator/kube/write-tracker.ts';
import { FakeClock } from './support/fake-clock.ts';
import { type ConfigMap, configMap } from './support/mini-api.ts';

const object = (name: string, version: string, extra: object = {}) =>
  configMap(name, {}, { uid: `uid-${name}`, resourceVersion: version, ...extra });

function setUp() {
  const clock = new FakeClock();
  const store = new Store<ConfigMap>();
  store.replace([object('a', '9'), object('b', '9')], '9');
  return { clock, store, tracker: new WriteTracker({ clock }) };
}

test('an owner is ready when its copies are as new as its last write', () => {
  const { store, tracker } = setUp();
  tracker.wrote('ns/owner', store, object('a', '10'));
  tracker.wrote('ns/owner', store, object('a', '12'));
  expect([tracker.isReady('ns/owner'), tracker.isReady('ns/other')]).toEqual([false, true]);
  store.upsert(object('a', '10'));
  expect(tracker.isReady('ns/owner')).toBe(false);
  store.bookmark('100');
  expect(tracker.isReady('ns/owner')).toBe(true);
});

test('a deletion is observed if the object is deleted, terminating or replaced', () => {
  const { store, tracker } = setUp();
  tracker.deleted('ns/owner', store, object('a', '9'));
  tracker.deleted('ns/owner', store, object('b', '9'));
  store.bookmark('50');
  expect(tracker.isReady('ns/owner')).toBe(false);
  store.remove(object('a', '51'));
  expect(tracker.isReady('ns/owner')).toBe(false);
  store.upsert(object('b', '52', { deletionTimestamp: '2026-01-01T00:00:00Z' }));
  expect(tracker.isReady('ns/owner')).toBe(true);
});

test('a write that never comes back holds up its owner for ten seconds at most', async () => {
  const { clock, store, tracker } = setUp();
  tracker.wrote('ns/owner', store, object('a', '10'));
  await clock.advance(10_000);
  expect(tracker.isReady('ns/owner')).toBe(false);
  await clock.advance(1);
  expect(tracker.isReady('ns/owner')).toBe(true);
});
