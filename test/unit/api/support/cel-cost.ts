/**
 * The most that a CEL expression may cost, as kube-apiserver estimates it when a CustomResourceDefinition is applied
 * (cel-go checker/cost.go, k8s.io/apiserver pkg/cel/library/cost.go). Covers what our rules use and throws on the rest,
 * and on fields that the schema does not have. A string whose length cannot be bounded makes the cost infinite.
 */
import { parse } from '@marcbachmann/cel-js';
import type { StructuralSchema } from '../../../../operator/api/structural-schema.ts';

/** Limits for one rule, counted as often as its list can have items, and for one definition. */
export const RULE_COST_LIMIT = 10_000_000;
export const CRD_COST_LIMIT = 100_000_000;

const STRING_FACTOR = 0.1;
const REGEX_FACTOR = 0.25;
const LIST_BASE = 10;
const MAP_BASE = 30;

interface Node {
  op: string;
  args: unknown;
}

/** Cost, and what is known of the value. */
interface Estimate {
  cost: number;
  /** Largest size of a string, list or map; 1 for the rest. */
  size: number;
  /** Where the value is in the schema, if it comes straight from there. */
  schema?: StructuralSchema;
}

type Scope = Readonly<Record<string, Pick<Estimate, 'size' | 'schema'>>>;

/** Estimates an expression over `self` (and `oldSelf`) of a schema. */
export function celCost(expression: string, self: StructuralSchema): number {
  const variable = { size: sizeOf(self), schema: self };
  return estimate(parse(expression).ast as unknown as Node, { self: variable, oldSelf: variable }).cost;
}

function sizeOf(schema: StructuralSchema): number {
  const { type, maxLength = Infinity, maxItems = Infinity, maxProperties = Infinity } = schema;
  if (schema.enum) return Math.max(...schema.enum.map((value) => String(value).length));
  // Lengths are in characters, costs in bytes of UTF-8.
  if (type === 'string') return maxLength * 4;
  if (type === 'array') return maxItems;
  return schema.additionalProperties ? maxProperties : 1;
}

function at(schema: StructuralSchema, cost: number): Estimate {
  return { cost, size: sizeOf(schema), schema };
}

function estimate({ op, args }: Node, scope: Scope): Estimate {
  const nodes = (args: unknown) => (args as Node[]).map((node) => estimate(node, scope));
  switch (op) {
    case 'value':
      return { cost: 0, size: typeof args === 'string' ? args.length : 1 };
    case 'id': {
      const variable = scope[args as string];
      if (!variable) throw new Error(`undeclared ${String(args)}`);
      return { cost: 1, ...variable };
    }
    case '.': {
      const [operand, field] = args as [Node, string];
      const { cost, schema } = estimate(operand, scope);
      const child = schema?.properties?.[field];
      if (!child) throw new Error(`undefined field ${field}`);
      return at(child, cost + 1);
    }
    case '[]': {
      const [operand, index] = nodes(args) as [Estimate, Estimate];
      const item = operand.schema?.items ?? operand.schema?.additionalProperties;
      const cost = operand.cost + index.cost + 1;
      return item ? at(item, cost) : { cost, size: Infinity };
    }
    case '!_':
    case '-_':
      return { cost: estimate(args as Node, scope).cost + 1, size: 1 };
    case '?:': {
      const [condition, yes, no] = nodes(args) as [Estimate, Estimate, Estimate];
      return { cost: condition.cost + Math.max(yes.cost, no.cost), size: Math.max(yes.size, no.size) };
    }
    case 'list':
      return {
        cost: sum(nodes(args)) + LIST_BASE,
        size: (args as Node[]).length,
        ...((args as Node[]).every(isInteger) && { schema: { items: { type: 'integer' } } }),
      };
    case 'map': {
      const entries = args as [Node, Node][];
      return { cost: sum(entries.flatMap(nodes)) + MAP_BASE, size: entries.length };
    }
    case 'call':
      return call(args as [string, Node[]], scope);
    case 'rcall':
      return memberCall(args as [string, Node, Node[]], scope);
    default:
      return operator(op, nodes(args) as [Estimate, Estimate]);
  }
}

function isInteger({ op, args }: Node): boolean {
  return op === 'value' && typeof args === 'bigint';
}

function operator(op: string, [left, right]: [Estimate, Estimate]): Estimate {
  const cost = left.cost + right.cost;
  switch (op) {
    case '&&':
    case '||':
      return { cost, size: 1 };
    case 'in':
      return { cost: cost + (right.schema?.type === 'object' ? 1 : right.size), size: 1 };
    case '==':
    case '!=':
      return { cost: cost + Math.ceil(Math.min(left.size, right.size) * STRING_FACTOR), size: 1 };
    case '+':
      return {
        cost: cost + Math.ceil((left.size + right.size) * STRING_FACTOR),
        size: left.size + right.size,
      };
    case '*':
    case '<':
    case '<=':
    case '>':
    case '>=':
      return { cost: cost + 1, size: 1 };
    default:
      throw new Error(`operator ${op} is not known here`);
  }
}

function call([name, args]: [string, Node[]], scope: Scope): Estimate {
  const [first] = args;
  if (
    first === undefined ||
    args.length > 1 ||
    !['has', 'int', 'double', 'size', 'duration'].includes(name)
  ) {
    throw new Error(`function ${name} is not known here`);
  }
  // A presence test costs nothing of its own since Kubernetes 1.29, and one before.
  return { cost: estimate(first, scope).cost + 1, size: 1 };
}

function memberCall([name, operand, args]: [string, Node, Node[]], scope: Scope): Estimate {
  const target = estimate(operand, scope);
  if (['all', 'exists_one', 'filter', 'map'].includes(name)) {
    const found = comprehension(target, args, scope);
    return name === 'filter' && target.schema ? { ...found, schema: target.schema } : found;
  }
  const [first, ...rest] = args.map((arg) => estimate(arg, scope));
  const cost = target.cost + (first?.cost ?? 0) + sum(rest);
  const size = first?.size ?? 0;
  const traversal = Math.ceil(target.size * STRING_FACTOR);
  switch (name) {
    case 'size':
      return { cost: cost + 1, size: 1 };
    case 'startsWith':
      return { cost: cost + Math.ceil(size * STRING_FACTOR), size: 1 };
    case 'contains':
      return { cost: cost + traversal * Math.ceil(size * STRING_FACTOR), size: 1 };
    case 'matches':
      return {
        cost: cost + Math.ceil((target.size + 1) * STRING_FACTOR) * Math.ceil(size * REGEX_FACTOR),
        size: 1,
      };
    case 'replace':
    case 'split':
      return { cost: cost + 2 * traversal, size: target.size };
    default:
      throw new Error(`method ${name} is not known here`);
  }
}

function comprehension(target: Estimate, args: Node[], scope: Scope): Estimate {
  const [variable, ...body] = args;
  const { schema } = target;
  const item: StructuralSchema = schema?.items ?? { type: 'string', maxLength: Infinity };
  const inner = { ...scope, [String(variable?.args)]: { size: sizeOf(item), schema: item } };
  const step = sum(body.map((node) => estimate(node, inner)));
  // The loop's own condition and accumulator, and the list that `map` grows.
  return { cost: target.cost + target.size * (step + LIST_BASE + 5) + LIST_BASE, size: target.size };
}

function sum(estimates: readonly Estimate[]): number {
  return estimates.reduce((total, { cost }) => total + cost, 0);
}
