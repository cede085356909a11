/** Structural checks of the API server that zod lacks: unknown fields, and duplicates in sets and maps. */
import { isDeepStrictEqual } from 'node:util';
import type { StructuralSchema } from './structural-schema.ts';

export interface StructureIssue {
  field: string;
  value: unknown;
  reason: string;
  remedy: string;
}

/** Checks a value against its structural schema. */
export function structureIssues(schema: StructuralSchema, value: unknown, field: string): StructureIssue[] {
  if (Array.isArray(value)) {
    const { items } = schema;
    const inner = items
      ? value.flatMap((item, index) => structureIssues(items, item, `${field}[${index}]`))
      : [];
    return [...duplicates(schema, value, field), ...inner];
  }
  if (typeof value !== 'object' || value === null || schema['x-kubernetes-preserve-unknown-fields'])
    return [];
  return Object.entries(value).flatMap(([name, child]) => {
    const known = schema.properties?.[name] ?? schema.additionalProperties;
    const childField = `${field}.${name}`;
    return known === undefined
      ? [
          {
            field: childField,
            value: child,
            reason: 'there is no such field',
            remedy: 'correct the name, or remove it',
          },
        ]
      : structureIssues(known, child, childField);
  });
}

function duplicates(schema: StructuralSchema, list: readonly unknown[], field: string): StructureIssue[] {
  const type = schema['x-kubernetes-list-type'];
  if (type !== 'set' && type !== 'map') return [];
  const keys = schema['x-kubernetes-list-map-keys'] ?? [];
  const identity = (item: unknown) => (type === 'set' ? item : keys.map((key) => Object(item)[key]));
  const what = type === 'set' ? 'value' : keys.join(' and ');
  return list.flatMap((item, index) => {
    const first = list.findIndex((other) => isDeepStrictEqual(identity(other), identity(item)));
    return first === index
      ? []
      : [
          {
            field: `${field}[${index}]`,
            value: item,
            reason: `item ${first} has the same ${what}`,
            remedy: 'remove one of them',
          },
        ];
  });
}
