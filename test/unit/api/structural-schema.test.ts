import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { customResourceDefinitions } from '../../../operator/api/crd.ts';
import { structuralSchema } from '../../../operator/api/structural-schema.ts';
import { KINDS, kindSchema, schemaNodes, specSchema, withDefaults } from './support/schemas.ts';

/** What kube-apiserver 1.36 admits in a structural schema, as far as we may use it (apiextensions validation). */
const KEYWORDS = [
  ...[
    'type',
    'description',
    'format',
    'default',
    'enum',
    'pattern',
    'minLength',
    'maxLength',
    'minimum',
    'maximum',
  ],
  ...[
    'minItems',
    'maxItems',
    'maxProperties',
    'anyOf',
    'items',
    'properties',
    'additionalProperties',
    'required',
  ],
  ...['x-kubernetes-int-or-string', 'x-kubernetes-preserve-unknown-fields', 'x-kubernetes-list-type'],
  ...['x-kubernetes-list-map-keys', 'x-kubernetes-validations'],
];
const SCALARS = ['string', 'integer', 'boolean'];

describe.each(KINDS)('the schema of %s', (kind) => {
  const nodes = schemaNodes(kindSchema(kind), '');
  const where = (wrong: (node: (typeof nodes)[number]) => boolean) =>
    nodes.filter(wrong).map(({ path }) => path);

  it('uses only what a structural schema may have', () => {
    expect(where(({ schema }) => Object.keys(schema).some((keyword) => !KEYWORDS.includes(keyword)))).toEqual(
      [],
    );
  });

  it('gives every node a type, or makes it an integer or string', () => {
    expect(
      where(({ schema }) => (schema.type === undefined) !== (schema['x-kubernetes-int-or-string'] === true)),
    ).toEqual([]);
  });

  it('has properties or additional properties, not both', () => {
    expect(where(({ schema }) => !!schema.properties && !!schema.additionalProperties)).toEqual([]);
  });

  it('bounds every string, list and map that a user may write', () => {
    const spec = schemaNodes(specSchema(kind), 'spec');
    const unbounded = spec.filter(({ schema }) => {
      if (schema.type === 'string') return schema.maxLength === undefined && schema.enum === undefined;
      if (schema.type === 'array') return schema.maxItems === undefined;
      return schema.additionalProperties !== undefined && schema.maxProperties === undefined;
    });
    expect(unbounded.map(({ path }) => path)).toEqual([]);
  });

  it('says of every list how it merges, and gives maps keys that are always there', () => {
    const wrong = where(({ schema }) => {
      if (schema.type !== 'array') return false;
      const { items = {} } = schema;
      const keys = schema['x-kubernetes-list-map-keys'] ?? [];
      switch (schema['x-kubernetes-list-type']) {
        case 'map':
          return (
            keys.length === 0 ||
            !keys.every(
              (key) => items.required?.includes(key) && SCALARS.includes(items.properties?.[key]?.type ?? ''),
            )
          );
        case 'set':
          return keys.length > 0 || !SCALARS.includes(items.type ?? '');
        default:
          return schema['x-kubernetes-list-type'] !== 'atomic' || keys.length > 0;
      }
    });
    expect(wrong).toEqual([]);
  });

  it('has no defaults inside lists, where they show as drift', () => {
    expect(where(({ path, schema }) => path.includes('[]') && schema.default !== undefined)).toEqual([]);
  });

  it('requires nothing that has a default', () => {
    expect(
      where(
        ({ schema }) => !!schema.required?.some((name) => schema.properties?.[name]?.default !== undefined),
      ),
    ).toEqual([]);
  });

  it('describes every field for kubectl explain', () => {
    const undescribed = where(
      ({ path, schema }) => !/(\[\]|\{\}|^|\.metadata.*)$/.test(path) && !schema.description,
    );
    expect(undescribed).toEqual([]);
    expect(where(({ schema: { description = '.' } }) => !/[.…]$/.test(description))).toEqual([]);
  });

  it('has rules on fields that exist', () => {
    const wrong = where(({ schema }) =>
      (schema['x-kubernetes-validations'] ?? []).some(({ fieldPath }) => {
        const parts = (fieldPath ?? '').split('.').filter((part) => part !== '');
        let at = schema;
        for (const part of parts) at = at.properties?.[part] ?? {};
        return parts.length > 0 && at.type === undefined;
      }),
    );
    expect(wrong).toEqual([]);
  });

  it('has no rule with FieldValueDuplicate, whose message the API server drops', () => {
    const dropped = where(({ schema }) =>
      (schema['x-kubernetes-validations'] ?? []).some(
        ({ reason }) => (reason as string) === 'FieldValueDuplicate',
      ),
    );
    expect(dropped).toEqual([]);
  });

  it('fits into the annotation that client-side apply keeps', () => {
    const crd = customResourceDefinitions().find((candidate) => candidate.spec.names.kind === kind);
    expect(JSON.stringify(crd).length).toBeLessThan(262_144);
  });
});

describe('defaults', () => {
  it('fill in a minimal pool as the operator expects it', () => {
    expect(withDefaults(specSchema('InferencePool'), { accelerator: { type: 'A100' } })).toEqual({
      accelerator: { type: 'A100' },
      capacity: { modelsPerNamespace: 250, overcommit: false },
      userIds: 'Fixed',
      allowedNamespaces: { from: 'Same' },
      router: {
        replicas: 2,
        service: { type: 'ClusterIP', port: 80 },
        maxBodySize: '32Mi',
        readTimeout: '10m',
        loadBalancing: 'PrefixAffinity',
        auth: { mode: 'None' },
      },
      responseCache: { enabled: true, ttl: '5m', policy: 'Deterministic', maxEntrySize: '1Mi' },
      admission: {
        maxQueue: 256,
        queueTimeout: '30s',
        wakeTimeout: '15m',
      },
    });
  });

  it('fill in a minimal model', () => {
    const minimal = { poolRef: { name: 'a' }, model: { source: 'hf://a/b' } };
    expect(withDefaults(specSchema('InferenceModel'), minimal)).toEqual({
      poolRef: { name: 'a' },
      model: { source: 'hf://a/b', trustRemoteCode: false },
      priority: 0,
      suspend: false,
    });
  });
});

describe('structuralSchema', () => {
  it('makes a union of an integer and a word an integer or string', () => {
    expect(structuralSchema(z.union([z.int().min(1), z.literal('auto')]))).toEqual({
      'x-kubernetes-int-or-string': true,
      anyOf: [{ type: 'integer' }, { type: 'string' }],
      pattern: '^(auto)$',
      minimum: 1,
    });
  });

  it('keeps unknown fields of a loose object, and drops the closing of a strict one', () => {
    expect(structuralSchema(z.looseObject({}))).toEqual({
      type: 'object',
      'x-kubernetes-preserve-unknown-fields': true,
    });
    expect(structuralSchema(z.strictObject({ a: z.boolean() }))).toEqual({
      type: 'object',
      properties: { a: { type: 'boolean' } },
      required: ['a'],
    });
  });

  it('sets the format of integers', () => {
    expect(structuralSchema(z.int().max(10))).toMatchObject({
      type: 'integer',
      format: 'int32',
      maximum: 10,
    });
    expect(structuralSchema(z.int())).toEqual({ type: 'integer', format: 'int64' });
  });

  it.each([
    ['a float', z.number()],
    ['a union of objects', z.union([z.object({ a: z.int() }), z.object({ b: z.int() })])],
    ['a tuple', z.tuple([z.int(), z.string()])],
  ])('refuses %s, naming where', (_, schema) => {
    expect(() => structuralSchema(z.object({ field: schema }))).toThrow(
      /^\.field(\[\])?: .* no place in a structural schema/,
    );
  });
});
