import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FieldSet } from '../../../hack/devcluster/apiserver/apply/field-set.ts';
import {
  compareValues,
  fieldSetOf,
  mergeValues,
  removePaths,
  withNamedParents,
} from '../../../hack/devcluster/apiserver/apply/typed-value.ts';
import type { Json, JsonObject } from '../../../hack/devcluster/apiserver/json.ts';
import { TypeNodes } from '../../../hack/devcluster/apiserver/schema/type-node.ts';

const SCHEMA: JsonObject = {
  type: 'object',
  properties: {
    name: { type: 'string' },
    labels: { type: 'object', additionalProperties: { type: 'string' } },
    tags: { type: 'array', 'x-kubernetes-list-type': 'set', items: { type: 'string' } },
    ports: {
      type: 'array',
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['port'],
      items: { type: 'object', properties: { port: { type: 'integer' }, name: { type: 'string' } } },
    },
    args: { type: 'array', items: { type: 'string' } },
    free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
  },
};

const type = new TypeNodes(() => undefined).of(SCHEMA);
const word = fc.constantFrom('a', 'b', 'c');
const object = fc.record(
  {
    name: word,
    labels: fc.dictionary(word, word),
    tags: fc.uniqueArray(word),
    ports: fc.uniqueArray(
      fc.record({ port: fc.integer({ min: 1, max: 3 }), name: word }, { requiredKeys: ['port'] }),
      { selector: ({ port }) => port },
    ),
    args: fc.array(word, { maxLength: 3 }),
    free: fc.dictionary(word, fc.oneof(word, fc.dictionary(word, word))),
  },
  { requiredKeys: [] },
) as fc.Arbitrary<JsonObject>;

const setOf = (value: Json): FieldSet => fieldSetOf(type, value);

describe('field sets', () => {
  test('are written as fieldsV1 and read back', () => {
    fc.assert(fc.property(object, (value) => FieldSet.fromJson(setOf(value).toJson()).equals(setOf(value))));
  });

  test('obey the laws of sets', () => {
    fc.assert(
      fc.property(object, object, (x, y) => {
        const [a, b] = [setOf(x), setOf(y)];
        expect(a.difference(b).union(a.intersection(b)).equals(a)).toBe(true);
        expect(a.union(b).equals(b.union(a))).toBe(true);
        expect(a.difference(a).empty).toBe(true);
        expect(a.difference(b).intersection(b).empty).toBe(true);
      }),
    );
  });
});

describe('typed values', () => {
  test('a value differs from itself in nothing, and from another in what is told', () => {
    fc.assert(
      fc.property(object, object, (x, y) => {
        const same = compareValues(type, x, structuredClone(x));
        expect([same.added, same.modified, same.removed].every((set) => set.empty)).toBe(true);
        const there = compareValues(type, x, y);
        const back = compareValues(type, y, x);
        expect(there.added.equals(back.removed)).toBe(true);
        expect(there.modified.equals(back.modified)).toBe(true);
      }),
    );
  });

  test('merging keeps all that either sets, and what is applied wins', () => {
    fc.assert(
      fc.property(object, object, (live, applied) => {
        const merged = mergeValues(type, live, applied);
        // An empty map that is filled is no leaf any more, but still there.
        expect(setOf(applied).difference(withNamedParents(type, setOf(merged))).empty).toBe(true);
        expect(mergeValues(type, merged, applied)).toEqual(merged);
        expect(mergeValues(type, merged, {})).toEqual(merged);
      }),
    );
  });

  test('what is removed is gone, and nothing else', () => {
    fc.assert(
      fc.property(object, object, (x, y) => {
        const gone = setOf(x).intersection(setOf(y));
        const rest = setOf(removePaths(type, x, gone));
        expect(rest.intersection(gone).empty).toBe(true);
      }),
    );
  });
});
