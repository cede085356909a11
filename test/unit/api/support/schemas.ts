/** The schemas of both kinds, as the API server gets them. */
import { customResourceDefinitions } from '../../../../operator/api/crd.ts';
import type { StructuralSchema } from '../../../../operator/api/structural-schema.ts';

export type Kind = 'InferencePool' | 'InferenceModel';

export const KINDS: readonly Kind[] = ['InferencePool', 'InferenceModel'];

/** The whole schema of a kind. */
export function kindSchema(kind: Kind): StructuralSchema {
  const crd = customResourceDefinitions().find((candidate) => candidate.spec.names.kind === kind);
  const schema = crd?.spec.versions[0]?.schema.openAPIV3Schema;
  if (schema === undefined) throw new Error(`no schema of ${kind}`);
  return schema;
}

/** The schema of its spec. */
export function specSchema(kind: Kind): StructuralSchema {
  const spec = kindSchema(kind).properties?.spec;
  if (spec === undefined) throw new Error(`no spec in ${kind}`);
  return spec;
}

export interface SchemaNode {
  path: string;
  schema: StructuralSchema;
}

/** A schema and all below it, with their paths: `[]` for items, `{}` for values of a map. */
export function schemaNodes(schema: StructuralSchema, path: string): SchemaNode[] {
  const { items, additionalProperties, properties = {} } = schema;
  return [
    { path, schema },
    ...Object.entries(properties).flatMap(([name, child]) => schemaNodes(child, `${path}.${name}`)),
    ...(items ? schemaNodes(items, `${path}[]`) : []),
    ...(additionalProperties ? schemaNodes(additionalProperties, `${path}{}`) : []),
  ];
}

/** Fills in defaults as the API server does: where a property is absent, and then within what is there. */
export function withDefaults(schema: StructuralSchema, value: unknown): unknown {
  const { items, properties = {} } = schema;
  if (Array.isArray(value)) return items ? value.map((item) => withDefaults(items, item)) : value;
  if (typeof value !== 'object' || value === null) return value;
  const result: Record<string, unknown> = { ...value };
  for (const [name, child] of Object.entries(properties)) {
    const present = result[name] ?? structuredClone(child.default);
    if (present !== undefined) result[name] = withDefaults(child, present);
  }
  return result;
}
