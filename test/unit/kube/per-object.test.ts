import { expect, it } from 'vitest';
import type { KubeObject } from '../../../operator/kube/object.ts';
import { PerObject } from '../../../operator/kube/per-object.ts';
import { Store } from '../../../operator/kube/store.ts';

function thing(uid: string, resourceVersion: number): KubeObject {
  const metadata = { name: 'thing', namespace: 'ns', uid, resourceVersion: String(resourceVersion) };
  return { apiVersion: 'v1', kind: 'Thing', metadata };
}

function setUp() {
  const objects = new Store();
  objects.upsert(thing('first', 1));
  const values = new PerObject<number>(objects);
  values.set('first', 1);
  return { objects, values };
}

it('has the value of an object through its changes, until it goes', () => {
  const { objects, values } = setUp();
  objects.upsert(thing('first', 2));
  expect(values.get('first')).toBe(1);
  objects.remove(thing('first', 3));
  expect([values.get('first'), objects.attachedSize]).toEqual([undefined, 0]);
});

it('does not give it to another object of the same name', () => {
  const { objects, values } = setUp();
  objects.upsert(thing('second', 2));
  expect([values.has('first'), values.has('second')]).toEqual([false, false]);
});

it('drops the value before subscribers are notified of the deletion', () => {
  const { objects, values } = setUp();
  const seen: unknown[] = [];
  objects.subscribe(({ old, new: now }) => {
    if (old && !now)
      seen.push(
        values.getOr('first', () => 2),
        objects.attachedSize,
      );
  });
  objects.remove(thing('first', 2));
  expect(seen).toEqual([2, 0]);
});

it('takes nothing for an object that is not there', () => {
  const { objects, values } = setUp();
  values.set('other', 1);
  expect(values.getOr('another', () => 2)).toBe(2);
  expect(objects.attachedSize).toBe(1);
  values.set('first', undefined);
  expect(objects.attachedSize).toBe(0);
});
