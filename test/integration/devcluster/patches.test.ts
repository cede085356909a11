import { describe, expect, test } from 'vitest';
import type { JsonObject } from '../../../hack/devcluster/apiserver/json.ts';
import { strategicMergePatch } from '../../../hack/devcluster/apiserver/patch/strategic-merge-patch.ts';
import { jsonPathValues } from '../../../hack/devcluster/apiserver/table/json-path.ts';

const SCHEMA: JsonObject = {
  type: 'object',
  properties: {
    items: {
      type: 'array',
      'x-kubernetes-patch-merge-key': 'name',
      'x-kubernetes-patch-strategy': 'merge',
      items: { type: 'object', properties: { name: { type: 'string' } } },
    },
    finalizers: { type: 'array', 'x-kubernetes-patch-strategy': 'merge', items: { type: 'string' } },
    args: { type: 'array', items: { type: 'string' } },
    strategy: { type: 'object', properties: { type: { type: 'string' } } },
  },
};

const patch = (target: JsonObject, change: JsonObject): JsonObject =>
  strategicMergePatch(target, change, SCHEMA, () => undefined);
const named = (...names: string[]): JsonObject[] => names.map((name) => ({ name }));

describe('strategic merge patch', () => {
  test.each<[string, JsonObject, JsonObject, JsonObject]>([
    [
      'merges items by key',
      { items: [{ name: 'a', x: 1 }] },
      { items: [{ name: 'a', y: 2 }] },
      { items: [{ name: 'a', x: 1, y: 2 }] },
    ],
    ['puts new items first', { items: named('a') }, { items: named('b') }, { items: named('b', 'a') }],
    [
      'deletes an item',
      { items: named('a', 'b') },
      { items: [{ name: 'a', $patch: 'delete' }] },
      { items: named('b') },
    ],
    [
      'replaces a list',
      { items: named('a', 'b') },
      { items: [{ $patch: 'replace' }, { name: 'c' }] },
      { items: named('c') },
    ],
    [
      'replaces an object',
      { strategy: { type: 'x', more: 1 } },
      { strategy: { $patch: 'replace', type: 'y' } },
      { strategy: { type: 'y' } },
    ],
    [
      'retains keys',
      { strategy: { type: 'x', more: 1 } },
      { strategy: { $retainKeys: ['type'], type: 'y' } },
      { strategy: { type: 'y' } },
    ],
    [
      'orders items',
      { items: named('a', 'b', 'c') },
      { '$setElementOrder/items': named('c', 'a'), items: [{ name: 'c', x: 1 }] },
      { items: [{ name: 'b' }, { name: 'c', x: 1 }, { name: 'a' }] },
    ],
    [
      'adds to a list of strings',
      { finalizers: ['a'] },
      { finalizers: ['b', 'a'] },
      { finalizers: ['b', 'a'] },
    ],
    [
      'takes from a list of strings',
      { finalizers: ['a', 'b'] },
      { '$deleteFromPrimitiveList/finalizers': ['a'] },
      { finalizers: ['b'] },
    ],
    ['replaces other lists', { args: ['a', 'b'] }, { args: ['c'] }, { args: ['c'] }],
    ['removes by null', { args: ['a'], strategy: {} }, { args: null }, { strategy: {} }],
  ])('%s', (_what, target, change, wanted) => {
    expect(patch(target, change)).toEqual(wanted);
  });

  test('an item without its key is refused', () => {
    expect(() => patch({ items: [] }, { items: [{ x: 1 }] })).toThrow(
      'does not contain declared merge key: name',
    );
  });
});

describe('JSON paths of printer columns', () => {
  const object = {
    a: {
      'b.c': [
        { type: 'x', on: true },
        { type: 'y', n: 2 },
      ],
    },
    list: ['p', 'q'],
  };

  test.each([
    ['.list[0]', ['p']],
    ['.list[-1]', ['q']],
    ['.list[*]', ['p', 'q']],
    ["{.a['b.c'][?(@.type=='y')].n}", [2]],
    ['.a["b.c"][?(@.on==true)].type', ['x']],
    ['.nosuch.deeper', []],
  ])('%s', (path, wanted) => {
    expect(jsonPathValues(object, path)).toEqual(wanted);
  });
});
