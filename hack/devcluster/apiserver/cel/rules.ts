import type { Environment, ParseResult } from '@marcbachmann/cel-js';
import type { ApiObject } from '../api-object.ts';
import {
  equal,
  isObject,
  type Json,
  type JsonObject,
  objectAt,
  objectsAt,
  stringAt,
  stringsAt,
} from '../json.ts';
import type { Cause } from '../status-error.ts';
import { Declarations } from './declarations.ts';
import { kubernetesEnvironment } from './library.ts';
import { toCel } from './values.ts';

/** A rule that does not compile, and where it is in the schema. */
export interface RuleError {
  /** Path within the schema: `.properties[spec].x-kubernetes-validations[0].rule`. */
  path: string;
  rule: JsonObject;
  message: string;
}

/** The compiled x-kubernetes-validations of a schema. */
export interface CelRules {
  errors: RuleError[];
  validate(object: ApiObject, old: ApiObject | undefined): Cause[];
}

interface Rule {
  run: ParseResult;
  text: string;
  message: string;
  messageExpression?: ParseResult;
  fieldPath: string;
  reason: string;
  transition: boolean;
  optionalOld: boolean;
}

interface Node {
  schema: JsonObject;
  rules: Rule[];
  properties: Map<string, Node>;
  items?: Node;
  additional?: Node;
  /** Whether there is a rule here or below. */
  any: boolean;
}

const REASON_TEXT: Readonly<Record<string, string>> = {
  FieldValueInvalid: 'Invalid value',
  FieldValueRequired: 'Required value',
  FieldValueForbidden: 'Forbidden',
  FieldValueDuplicate: 'Duplicate value',
};

/** Compiles all rules of a structural schema; rules that fail the type check are in `errors`. */
export function compileRules(schema: JsonObject): CelRules {
  const compiler = new Compiler();
  const root = compiler.node(schema, '', true);
  return {
    errors: compiler.errors,
    validate: (object, old) => {
      if (!root.any) return [];
      const causes: Cause[] = [];
      check(root, object, old, '', causes);
      return causes;
    },
  };
}

class Compiler {
  readonly errors: RuleError[] = [];
  readonly #base = kubernetesEnvironment();
  #dynamic: Environment | undefined;

  node(schema: JsonObject, path: string, root = false): Node {
    const properties = new Map<string, Node>();
    for (const [key, property] of Object.entries(objectAt(schema, 'properties'))) {
      if (isObject(property)) properties.set(key, this.node(property, `${path}.properties[${key}]`));
    }
    const items = isObject(schema.items) ? this.node(schema.items, `${path}.items`) : undefined;
    const additional = isObject(schema.additionalProperties)
      ? this.node(schema.additionalProperties, `${path}.additionalProperties`)
      : undefined;
    const rules = this.#rules(schema, path, root);
    const any = rules.length > 0 || [...properties.values(), items, additional].some((child) => child?.any);
    return {
      schema,
      rules,
      properties,
      any,
      ...(items ? { items } : {}),
      ...(additional ? { additional } : {}),
    };
  }

  #rules(schema: JsonObject, path: string, root: boolean): Rule[] {
    const listed = objectsAt(schema, 'x-kubernetes-validations');
    if (listed.length === 0) return [];
    const typed = this.#base.clone();
    const type = new Declarations(typed).typeOf(schema, root);
    typed.registerVariable('self', type);
    const out: Rule[] = [];
    listed.forEach((rule, index) => {
      const environment = typed
        .clone()
        .registerVariable('oldSelf', rule.optionalOldSelf === true ? `optional<${type}>` : type);
      const compiled = this.#rule(rule, environment, `${path}.x-kubernetes-validations[${index}]`);
      if (compiled) out.push(compiled);
    });
    return out;
  }

  #rule(rule: JsonObject, environment: Environment, path: string): Rule | undefined {
    const text = stringAt(rule, 'rule');
    const fail = (field: string, message: string): undefined => {
      this.errors.push({ path: `${path}.${field}`, rule, message });
      return undefined;
    };
    const checked = environment.check(text);
    if (!checked.valid)
      return fail('rule', `compilation failed: ${checked.error?.message ?? 'unknown error'}`);
    if (checked.type !== 'bool' && checked.type !== 'dyn')
      return fail('rule', 'cel expression must evaluate to a bool');
    const expression = stringAt(rule, 'messageExpression');
    if (expression !== '') {
      const message = environment.check(expression);
      if (!message.valid)
        return fail(
          'messageExpression',
          `messageExpression compilation failed: ${message.error?.message ?? 'unknown error'}`,
        );
    }
    this.#dynamic ??= this.#base.clone().registerVariable('self', 'dyn').registerVariable('oldSelf', 'dyn');
    return {
      run: this.#dynamic.parse(text),
      text,
      message: stringAt(rule, 'message'),
      ...(expression === '' ? {} : { messageExpression: this.#dynamic.parse(expression) }),
      fieldPath: stringAt(rule, 'fieldPath'),
      reason: stringAt(rule, 'reason') || 'FieldValueInvalid',
      transition: /\boldSelf\b/.test(text),
      optionalOld: rule.optionalOldSelf === true,
    };
  }
}

function check(node: Node, value: Json, old: Json | undefined, path: string, causes: Cause[]): void {
  // Ratcheting: what did not change is not checked again.
  if (old !== undefined && equal(value, old)) return;
  if (node.rules.length > 0 && value !== null) runRules(node, value, old, path, causes);
  if (isObject(value)) {
    const before = isObject(old) ? old : undefined;
    for (const [key, child] of Object.entries(value)) {
      const next = node.properties.get(key) ?? node.additional;
      if (next?.any)
        check(
          next,
          child,
          before?.[key],
          path === '' ? key : node.properties.has(key) ? `${path}.${key}` : `${path}[${key}]`,
          causes,
        );
    }
  } else if (Array.isArray(value) && node.items?.any) {
    const { items } = node;
    value.forEach((item, index) => {
      check(items, item, correlated(node.schema, item, old), `${path}[${index}]`, causes);
    });
  }
}

/** The old item with the same keys; only lists of type map can tell. */
function correlated(schema: JsonObject, item: Json, old: Json | undefined): Json | undefined {
  if (!Array.isArray(old) || schema['x-kubernetes-list-type'] !== 'map' || !isObject(item)) return undefined;
  const keys = stringsAt(schema, 'x-kubernetes-list-map-keys');
  return old.find((each) => isObject(each) && keys.every((key) => equal(each[key], item[key])));
}

function runRules(node: Node, value: Json, old: Json | undefined, path: string, causes: Cause[]): void {
  const self = toCel(node.schema, value);
  const before = old === undefined ? undefined : toCel(node.schema, old);
  for (const rule of node.rules) {
    if (rule.transition && before === undefined && !rule.optionalOld) continue;
    const context = { self, oldSelf: rule.optionalOld ? optional(before) : before };
    const failure = evaluate(rule, context);
    if (failure === undefined) continue;
    const field = rule.fieldPath === '' ? path : `${path}${rule.fieldPath}`;
    const scalar = !isObject(value) && !Array.isArray(value) && rule.fieldPath === '';
    const shown = rule.reason === 'FieldValueInvalid' && scalar ? `${JSON.stringify(value)}: ` : '';
    const text = REASON_TEXT[rule.reason] ?? 'Invalid value';
    causes.push({
      reason: rule.reason,
      field: field === '' ? '<nil>' : field.replace(/^\./, ''),
      message: `${text}: ${shown}${failure}`,
    });
  }
}

const OPTIONALS = kubernetesEnvironment().registerVariable('value', 'dyn');
const NONE: unknown = OPTIONALS.evaluate('optional.none()');
const SOME = OPTIONALS.parse('optional.of(value)');

/** The old value as a CEL optional. */
function optional(before: unknown): unknown {
  return before === undefined ? NONE : SOME({ value: before });
}

/** The message of a rule that does not hold, undefined when it holds. */
function evaluate(rule: Rule, context: { self: unknown; oldSelf: unknown }): string | undefined {
  try {
    if (rule.run(context) === true) return undefined;
  } catch (error) {
    return `rule evaluation error: ${errorText(error)} evaluating rule: ${rule.message || rule.text}`;
  }
  if (rule.messageExpression) {
    try {
      const message: unknown = rule.messageExpression(context);
      if (typeof message === 'string' && message.trim() !== '') return message;
    } catch {
      // As kube-apiserver does: a failing messageExpression falls back to the message.
    }
  }
  return rule.message || `failed rule: ${rule.text}`;
}

function errorText(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? '';
}
