import { Ajv } from 'ajv';
import { describe, expect, it } from 'vitest';
import type { StructuralSchema } from '../../../operator/api/structural-schema.ts';
import { celViolationsAsIs } from './support/cel.ts';
import { KINDS, kindSchema, schemaNodes, withDefaults } from './support/schemas.ts';

/** Why a server would refuse the default of a schema. It looks at the value as written, without nested defaults. */
function issues(schema: StructuralSchema, path: string): string[] {
  const ajv = new Ajv({ strict: false, allErrors: true, validateFormats: false });
  const { default: value, ...rest } = schema;
  ajv.validate(rest, value);
  const byRules = () => {
    try {
      return celViolationsAsIs(schema, value, path).map(({ field, message }) => `${field}: ${message}`);
    } catch (error) {
      return [`${path}: ${String(error)}`];
    }
  };
  return [
    ...(ajv.errors ?? []).map((error) => `${path}${error.instancePath}: ${error.message}`),
    ...byRules(),
  ];
}

describe.each(KINDS)('the defaults of %s', (kind) => {
  const withDefault = schemaNodes(kindSchema(kind), '').filter(({ schema }) => schema.default !== undefined);

  it.each(withDefault.map(({ path, schema }) => [path, schema] as const))(
    'are valid as written: %s',
    (path, schema) => {
      expect(issues(schema, path)).toEqual([]);
    },
  );

  it('set what the same fields have by default when their parent is written', () => {
    for (const { schema } of withDefault)
      expect(withDefaults(schema, schema.default)).toEqual(
        schema.type === 'object' ? withDefaults(schema, {}) : schema.default,
      );
  });
});
