import { describe, expect, it } from 'vitest';
import type { StructuralSchema } from '../../../operator/api/structural-schema.ts';
import { CRD_COST_LIMIT, celCost, RULE_COST_LIMIT } from './support/cel-cost.ts';
import { KINDS, specSchema } from './support/schemas.ts';

interface RuleCost {
  rule: string;
  cost: number;
}

/** Costs of all rules, each as often as the lists and maps around it can have items. */
function costs(schema: StructuralSchema, times = 1): RuleCost[] {
  const { items, additionalProperties, properties = {} } = schema;
  const own = (schema['x-kubernetes-validations'] ?? []).flatMap(({ rule, messageExpression }) =>
    [rule, ...(messageExpression ? [messageExpression] : [])].map((expression) => ({
      rule: expression,
      cost: celCost(expression, schema) * times,
    })),
  );
  return [
    ...own,
    ...Object.values(properties).flatMap((child) => costs(child, times)),
    ...(items ? costs(items, times * (schema.maxItems ?? Infinity)) : []),
    ...(additionalProperties ? costs(additionalProperties, times * (schema.maxProperties ?? Infinity)) : []),
  ];
}

describe.each(KINDS)('the rules of %s', (kind) => {
  const found = costs(specSchema(kind));

  it('stay well below what the API server lets one rule cost', () => {
    expect(found.length).toBeGreaterThan(0);
    expect(found.filter(({ cost }) => !(cost < RULE_COST_LIMIT / 4))).toEqual([]);
  });

  it('stay below what it lets a definition cost', () => {
    expect(found.reduce((total, { cost }) => total + cost, 0)).toBeLessThan(CRD_COST_LIMIT / 4);
  });
});

describe('celCost', () => {
  const text: StructuralSchema = { type: 'string', maxLength: 1024 };

  it('is infinite where a length cannot be bounded', () => {
    expect(celCost("self.contains(' ')", { type: 'string' })).toBe(Infinity);
    expect(celCost("self.split('=')[0].contains(' ')", text)).toBe(Infinity);
    expect(celCost("self.all(item, item == 'a')", { type: 'array', items: text })).toBe(Infinity);
  });

  it('grows with lengths as the API server says', () => {
    // (4096 + 1) * 0.1 for the string, 8 * 0.25 for the expression, 1 for self.
    expect(celCost("self.matches('^[a-z]+$')", text)).toBe(410 * 2 + 1);
    expect(celCost("self.startsWith('hf://')", text)).toBe(2);
  });

  it('knows the fields of the schema', () => {
    const schema: StructuralSchema = { type: 'object', properties: { a: text } };
    expect(celCost('has(self.a)', schema)).toBeLessThan(5);
    expect(() => celCost('has(self.b)', schema)).toThrow('undefined field b');
  });
});
