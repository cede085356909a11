import { expect, it } from 'vitest';
import { Derived } from '../../../operator/kube/derived.ts';
import type { KubeObject } from '../../../operator/kube/object.ts';
import { Store } from '../../../operator/kube/store.ts';

function object(name: string, generation: number, resourceVersion: number, uid = `uid-${name}`): KubeObject {
  const metadata = { name, namespace: 'ns', uid, generation, resourceVersion: String(resourceVersion) };
  return { apiVersion: 'v1', kind: 'Thing', metadata };
}

function setUp() {
  const objects = new Store();
  const derived = new Derived<number>(objects);
  let computed = 0;
  const of = (thing: KubeObject, ...inputs: unknown[]) =>
    derived.of(thing, inputs, () => {
      computed += 1;
      return computed;
    });
  return { objects, derived, of };
}

it('computes once for a generation and the same inputs, whatever statuses come', () => {
  const { objects, of } = setUp();
  objects.upsert(object('a', 1, 1));
  objects.upsert(object('b', 1, 1));
  const input = {};
  expect([of(object('a', 1, 1), input), of(object('a', 1, 2), input)]).toEqual([1, 1]);
  expect(of(object('b', 1, 1), input)).toBe(2);
  expect(of(object('a', 2, 3), input)).toBe(3);
  expect(of(object('a', 2, 3), {})).toBe(4);
  expect(of(object('a', 2, 3))).toBe(5);
});

it('drops a value with its object, and distinguishes a recreated object', () => {
  const { objects, of } = setUp();
  objects.upsert(object('a', 1, 1));
  expect(of(object('a', 1, 1))).toBe(1);
  objects.upsert(object('a', 1, 2));
  expect(of(object('a', 1, 2))).toBe(1);
  objects.remove(object('a', 1, 3));
  expect(of(object('a', 1, 1))).toBe(2);
  expect(of(object('a', 1, 4, 'another'))).toBe(3);
});

it('drops values on changes of another store, for the old and the new object', () => {
  const { objects, derived, of } = setUp();
  objects.upsert(object('a', 1, 1));
  objects.upsert(object('b', 1, 1));
  const others = new Store();
  derived.dropOn(others, ({ metadata }) => [`uid-${metadata.labels?.for}`]);
  const other = (owner: string, version: number) => {
    const { metadata, ...rest } = object('other', 1, version);
    return { ...rest, metadata: { ...metadata, labels: { for: owner } } };
  };
  of(object('a', 1, 1));
  of(object('b', 1, 1));
  others.upsert(other('a', 1));
  expect([of(object('a', 1, 1)), of(object('b', 1, 1))]).toEqual([3, 2]);
  others.upsert(other('b', 2));
  expect([of(object('a', 1, 1)), of(object('b', 1, 1))]).toEqual([4, 5]);
});

it('keeps no error', () => {
  const { derived, of } = setUp();
  const fail = () => {
    throw new Error('no');
  };
  expect(() => derived.of(object('a', 1, 1), [], fail)).toThrow('no');
  expect(of(object('a', 1, 1))).toBe(1);
});
