import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { keyOf } from '../../../operator/kube/key.ts';
import { compareResourceVersions } from '../../../operator/kube/resource-version.ts';
import { type Change, Store } from '../../../operator/kube/store.ts';
import { type ConfigMap, configMap } from './support/mini-api.ts';

const object = (name: string, version: number, uid = 'u1', extra: object = {}): ConfigMap =>
  configMap(name, {}, { resourceVersion: String(version), uid, ...extra });

function recorded(store: Store<ConfigMap>): string[] {
  const seen: string[] = [];
  const version = (state: ConfigMap | undefined) => state?.metadata.resourceVersion ?? '-';
  store.subscribe(({ key, old, new: now, initial }: Change<ConfigMap>) => {
    seen.push(`${key} ${version(old)} ${version(now)}${initial ? ' initial' : ''}`);
  });
  return seen;
}

describe('changes', () => {
  test('a list, live events and a list that lacks an object', () => {
    const store = new Store<ConfigMap>();
    const seen = recorded(store);
    expect(store.hasSynced).toBe(false);
    store.replace([object('a', 1), object('b', 2)], '2');
    store.upsert(object('a', 3));
    store.remove(object('b', 4));
    store.replace([object('c', 5, 'u2')], '6');
    expect(seen).toEqual([
      'default/a - 1 initial',
      'default/b - 2 initial',
      'default/a 1 3',
      'default/b 2 -',
      'default/a 3 - initial',
      'default/c - 5 initial',
    ]);
    expect([store.hasSynced, store.size, store.resourceVersion]).toEqual([true, 1, '6']);
  });

  test('a recreated object goes and comes', () => {
    const store = new Store<ConfigMap>();
    store.replace([object('a', 1, 'first')], '1');
    const seen = recorded(store);
    store.upsert(object('a', 5, 'second'));
    store.remove(object('a', 4, 'first'));
    expect(seen).toEqual(['default/a - 1 initial', 'default/a 1 -', 'default/a - 5']);
    expect(store.get('default/a')?.metadata.uid).toBe('second');
  });

  test('repetitions change nothing, also after the deletion', () => {
    const store = new Store<ConfigMap>();
    store.replace([object('a', 1)], '1');
    store.upsert(object('a', 3));
    const seen = recorded(store);
    store.upsert(object('a', 2));
    store.upsert(object('a', 3));
    store.remove(object('a', 4));
    store.upsert(object('a', 3));
    expect(seen).toEqual(['default/a - 3 initial', 'default/a 3 -']);
  });

  test('a handler that throws does not keep others from the change', () => {
    const store = new Store<ConfigMap>();
    store.subscribe(() => {
      throw new Error('broken');
    });
    const seen = recorded(store);
    store.upsert(object('a', 1));
    expect(seen).toEqual(['default/a - 1']);
  });

  test('nothing comes after the subscription ends', () => {
    const store = new Store<ConfigMap>();
    const seen: string[] = [];
    const stop = store.subscribe(({ key }) => seen.push(key));
    stop();
    store.upsert(object('a', 1));
    expect(seen).toEqual([]);
  });
});

test('with freeze, code that changes a cached object fails', () => {
  const store = new Store<ConfigMap>({ freeze: true });
  store.upsert(object('a', 1));
  expect(() => Object.assign(store.get('default/a')?.metadata ?? {}, { labels: {} })).toThrow(TypeError);
});

test('an index that does not exist is an error, not an empty answer', () => {
  expect(() => new Store({ indexes: { byName: () => [] } }).byIndex('byNode', 'x')).toThrow(
    'no index byNode; it has byName, ownerUid',
  );
});

test('indexes show exactly what the objects say', () => {
  const owners = fc.uniqueArray(fc.constantFrom('o1', 'o2', 'o3'));
  const step = fc.record({ name: fc.constantFrom('a', 'b', 'c'), owners, remove: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const store = new Store<ConfigMap>({
        indexes: {
          byFirst: (item) => item.metadata.ownerReferences?.slice(0, 1).map(({ uid }) => uid) ?? [],
        },
      });
      let version = 0;
      for (const { name, owners: uids, remove } of steps) {
        const ownerReferences = uids.map((uid) => ({ apiVersion: 'v1', kind: 'X', name: uid, uid }));
        const next = object(name, ++version, 'u1', { ownerReferences });
        if (remove) {
          store.remove(next);
        } else {
          store.upsert(next);
        }
      }
      for (const uid of ['o1', 'o2', 'o3']) {
        const owned = store
          .list()
          .filter((item) => item.metadata.ownerReferences?.some((owner) => owner.uid === uid));
        const first = store.list().filter((item) => item.metadata.ownerReferences?.[0]?.uid === uid);
        expect(store.byOwner(uid).map(keyOf).sort()).toEqual(owned.map(keyOf).sort());
        expect(store.byIndex('byFirst', uid).map(keyOf).sort()).toEqual(first.map(keyOf).sort());
      }
    }),
  );
});

test('resource versions compare as integers', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n }), fc.bigInt({ min: 0n }), (a, b) => {
      expect(Math.sign(compareResourceVersions(String(a), String(b)))).toBe(a < b ? -1 : a > b ? 1 : 0);
    }),
  );
  expect(compareResourceVersions('', '1')).toBeLessThan(0);
});
