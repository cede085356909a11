/** Evaluates the CEL rules of a schema, as far as a library without Kubernetes' extensions can. */
import { Environment } from '@marcbachmann/cel-js';
import type { StructuralSchema } from '../../../../operator/api/structural-schema.ts';
import type { ValidationRule } from '../../../../operator/values/rule.ts';
import { withDefaults } from './schemas.ts';

const environment = new Environment({ unlistedVariablesAreDyn: true, limits: { maxMapEntries: 1000 } })
  // From the CEL strings extension that Kubernetes has.
  .registerFunction('string.replace(string, string): string', (text: string, from: string, to: string) =>
    text.replaceAll(from, to),
  );

export interface Violation {
  field: string;
  message: string;
  rule: ValidationRule;
}

/** All rules that a spec breaks, defaults applied. */
export function celViolations(schema: StructuralSchema, spec: unknown): Violation[] {
  return walk(schema, withDefaults(schema, spec), 'spec');
}

/** All rules that a value breaks as it stands. A rule that cannot be evaluated is broken, as it is on a server. */
export function celViolationsAsIs(schema: StructuralSchema, value: unknown, path: string): Violation[] {
  return walk(schema, value, path);
}

/** Whether a rule holds of a value. */
export function celHolds(rule: string, schema: StructuralSchema, self: unknown, oldSelf?: unknown): boolean {
  const variables = { self: celValue(schema, self), oldSelf: celValue(schema, oldSelf) };
  return environment.evaluate(rule, variables) === true;
}

function walk(schema: StructuralSchema, value: unknown, path: string): Violation[] {
  if (value === undefined) return [];
  const broken = (schema['x-kubernetes-validations'] ?? [])
    .filter(({ rule }) => !rule.includes('oldSelf'))
    .filter(({ rule }) => !celHolds(rule, schema, value))
    .map((rule) => ({
      field: `${path}${rule.fieldPath ?? ''}`,
      message: message(rule, schema, value),
      rule,
    }));
  return [...broken, ...children(schema, value, path)];
}

function children(schema: StructuralSchema, value: unknown, path: string): Violation[] {
  const { items, properties = {}, additionalProperties } = schema;
  if (Array.isArray(value)) {
    return items ? value.flatMap((item, index) => walk(items, item, `${path}[${index}]`)) : [];
  }
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, child]) => {
    const childSchema = properties[name] ?? additionalProperties;
    return childSchema ? walk(childSchema, child, `${path}.${name}`) : [];
  });
}

function message(rule: ValidationRule, schema: StructuralSchema, value: unknown): string {
  if (rule.messageExpression === undefined) return rule.message;
  return String(environment.evaluate(rule.messageExpression, { self: celValue(schema, value) }));
}

/** CEL tells integers from doubles; JSON does not, so the schema decides. */
function celValue(schema: StructuralSchema, value: unknown): unknown {
  if (typeof value === 'number') return BigInt(value);
  const { items, properties = {}, additionalProperties } = schema;
  if (Array.isArray(value)) return value.map((item) => celValue(items ?? {}, item));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, child]) => [
      name,
      celValue(properties[name] ?? additionalProperties ?? {}, child),
    ]),
  );
}
