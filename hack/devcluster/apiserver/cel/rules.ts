import type { Environment, ParseResult } from '@marcbachmann/cel-js';
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
  validate(value: Json, old: Json | undefined, options: RuleOptions): Cause[];
}

/** How rules are run. */
export interface RuleOptions {
  /** Whether violations that already existed before the update are only warned about. */
  ratchet: boolean;
  warn?(text: string): void;
  /** Path of the value; by default it is the whole object. */
  path?: string;
}

interface Rule {
  run: ParseResult;
  text: string;
  message: string;
  messageExpression?: ParseResult;
  fieldPath: string;
  reason: string;
  usesOld: boolean;
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

/**
 * Compiles all rules of a structural schema; rules that fail the type check are in `errors`. `isRoot`: objects have
 * apiVersion, kind and metadata.
 */
export function compileRules(schema: JsonObject, isRoot: boolean): CelRules {
  const compiler = new Compiler();
  const root = compiler.node(schema, '', isRoot);
  return {
    errors: compiler.errors,
    validate: (value, old, options) => {
      if (!root.any) return [];
      const run: Run = { ...options, causes: [] };
      check(root, value, old, options.path ?? '', run);
      return run.causes;
    },
  };
}

interface Run extends RuleOptions {
  causes: Cause[];
}

class Compiler {
  readonly errors: RuleError[] = [];
  readonly #base = kubernetesEnvironment();
  #dynamic: Environment | undefined;

  /** `lost`: the path below which old values are unknown. */
  node(schema: JsonObject, path: string, root: boolean, lost?: string): Node {
    const properties = new Map<string, Node>();
    const inMap = lost ?? (schema['x-kubernetes-map-type'] === 'atomic' ? path : undefined);
    const inList = lost ?? (schema['x-kubernetes-list-type'] === 'map' ? undefined : path);
    for (const [key, property] of Object.entries(objectAt(schema, 'properties'))) {
      if (isObject(property))
        properties.set(key, this.node(property, `${path}.properties[${key}]`, false, inMap));
    }
    const items = isObject(schema.items)
      ? this.node(schema.items, `${path}.items`, false, inList)
      : undefined;
    const additional = isObject(schema.additionalProperties)
      ? this.node(schema.additionalProperties, `${path}.additionalProperties`, false, lost)
      : undefined;
    const rules = this.#rules(schema, path, root);
    this.#checkOld(rules, schema, path, lost);
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

  #checkOld(rules: Rule[], schema: JsonObject, path: string, lost: string | undefined): void {
    objectsAt(schema, 'x-kubernetes-validations').forEach((rule, index) => {
      const at = `${path}.x-kubernetes-validations[${index}]`;
      const compiled = rules.find(({ text }) => text === rule.rule);
      if (compiled?.usesOld && lost !== undefined) {
        const message = `oldSelf cannot be used on the uncorrelatable portion of the schema within ${lost}`;
        this.errors.push({ path: `${at}.rule`, rule, message });
      }
      if (compiled?.usesOld === false && rule.optionalOldSelf !== undefined) {
        const message = 'may not be set if oldSelf is not used in rule';
        this.errors.push({ path: `${at}.optionalOldSelf`, rule, message });
      }
    });
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
      if (message.type !== 'string' && message.type !== 'dyn')
        return fail('messageExpression', 'messageExpression must evaluate to a string');
    }
    this.#dynamic ??= this.#base.clone().registerVariable('self', 'dyn').registerVariable('oldSelf', 'dyn');
    return {
      run: this.#dynamic.parse(text),
      text,
      message: stringAt(rule, 'message'),
      ...(expression === '' ? {} : { messageExpression: this.#dynamic.parse(expression) }),
      fieldPath: stringAt(rule, 'fieldPath'),
      reason: stringAt(rule, 'reason') || 'FieldValueInvalid',
      usesOld: /\boldSelf\b/.test(text),
      optionalOld: rule.optionalOldSelf === true,
    };
  }
}

function check(node: Node, value: Json, old: Json | undefined, path: string, run: Run): void {
  if (node.rules.length > 0 && value !== null) runRules(node, value, old, path, run);
  if (isObject(value)) {
    const before = isObject(old) && node.schema['x-kubernetes-map-type'] !== 'atomic' ? old : undefined;
    for (const [key, child] of Object.entries(value)) {
      const next = node.properties.get(key) ?? node.additional;
      if (!next?.any) continue;
      const at = path === '' ? key : node.properties.has(key) ? `${path}.${key}` : `${path}[${key}]`;
      check(next, child, before?.[key], at, run);
    }
  } else if (Array.isArray(value) && node.items?.any) {
    const { items } = node;
    value.forEach((item, index) => {
      check(items, item, correlated(node.schema, item, old), `${path}[${index}]`, run);
    });
  }
}

/** The old item with the same keys. Only items of lists of type map can be matched. */
function correlated(schema: JsonObject, item: Json, old: Json | undefined): Json | undefined {
  if (!Array.isArray(old) || schema['x-kubernetes-list-type'] !== 'map' || !isObject(item)) return undefined;
  const keys = stringsAt(schema, 'x-kubernetes-list-map-keys');
  return old.find((each) => isObject(each) && keys.every((key) => equal(each[key], item[key])));
}

function runRules(node: Node, value: Json, old: Json | undefined, path: string, run: Run): void {
  const self = toCel(node.schema, value);
  const before = old === undefined || old === null ? undefined : toCel(node.schema, old);
  const unchanged = run.ratchet && old !== undefined && equal(value, old);
  for (const rule of node.rules) {
    if (rule.usesOld && before === undefined && !rule.optionalOld) continue;
    const context = { self, oldSelf: rule.optionalOld ? optional(before) : before };
    const failure = evaluate(rule, context);
    if (failure === undefined) continue;
    const cause = failure.broken
      ? fault(path, node.schema, failure.text)
      : refusal(rule, path, value, failure.text);
    // Ratcheting: a value that violated the rule before the update may stay.
    if (unchanged && !rule.usesOld && !failure.broken) run.warn?.(`${cause.field}: ${cause.message}`);
    else run.causes.push(cause);
  }
}

/** A rule that could not be evaluated is reported for the value itself, whatever its reason and fieldPath. */
function fault(path: string, schema: JsonObject, text: string): Cause {
  const type = JSON.stringify(stringAt(schema, 'type'));
  return {
    reason: 'FieldValueInvalid',
    field: path === '' ? '<nil>' : path,
    message: `Invalid value: ${type}: ${text}`,
  };
}

function refusal(rule: Rule, path: string, value: Json, text: string): Cause {
  const field = `${path}${rule.fieldPath}`.replace(/^\./, '') || '<nil>';
  const shown = typeof value === 'object' ? '' : `: ${JSON.stringify(value)}`;
  const messages: Readonly<Record<string, string>> = {
    FieldValueRequired: `Required value: ${text}`,
    FieldValueForbidden: `Forbidden: ${text}`,
    // kube-apiserver drops the rule's text here.
    FieldValueDuplicate: `Duplicate value${shown}`,
  };
  const message = messages[rule.reason] ?? `Invalid value${shown}: ${text}`;
  return { reason: rule.reason, field, message };
}

const OPTIONALS = kubernetesEnvironment().registerVariable('value', 'dyn');
const NONE: unknown = OPTIONALS.evaluate('optional.none()');
const SOME = OPTIONALS.parse('optional.of(value)');

/** The old value as a CEL optional. */
function optional(before: unknown): unknown {
  return before === undefined ? NONE : SOME({ value: before });
}

/** Longest text of a messageExpression. */
const MAX_MESSAGE = 5120;

/** Why a rule does not hold, undefined when it holds; `broken` when it could not be evaluated. */
function evaluate(
  rule: Rule,
  context: { self: unknown; oldSelf: unknown },
): { text: string; broken: boolean } | undefined {
  try {
    if (rule.run(context) === true) return undefined;
  } catch (error) {
    return { text: `${errorText(error)} evaluating rule: ${rule.message || rule.text}`, broken: true };
  }
  return { text: messageOf(rule, context), broken: false };
}

function messageOf(rule: Rule, context: { self: unknown; oldSelf: unknown }): string {
  if (rule.messageExpression) {
    try {
      const message: unknown = rule.messageExpression(context);
      const text = typeof message === 'string' ? message.trim() : '';
      if (text !== '' && text.length <= MAX_MESSAGE && !/[\n\r]/.test(text)) return text;
    } catch {
      // As kube-apiserver does: a failing messageExpression falls back to the message.
    }
  }
  return rule.message || `failed rule: ${rule.text.trim()}`;
}

/** The first line, starting as in cel-go: "no such key: …". */
function errorText(error: unknown): string {
  const text = (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? '';
  return text.charAt(0).toLowerCase() + text.slice(1);
}
