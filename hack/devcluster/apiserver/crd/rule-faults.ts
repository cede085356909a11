import type { Faults } from '../faults.ts';
import { isObject, type JsonObject, objectAt, objectsAt, stringAt } from '../json.ts';

const REASONS = ['FieldValueDuplicate', 'FieldValueForbidden', 'FieldValueInvalid', 'FieldValueRequired'];

/** What is wrong with the form of a schema's x-kubernetes-validations; whether they compile is checked elsewhere. */
export function ruleFaults(faults: Faults, schema: JsonObject): void {
  faults.each('x-kubernetes-validations', objectsAt(schema, 'x-kubernetes-validations'), (at, rule) => {
    textFaults(at, rule);
    pathFaults(at, schema, stringAt(rule, 'fieldPath'));
  });
}

function textFaults(faults: Faults, rule: JsonObject): void {
  const text = stringAt(rule, 'rule').trim();
  const sent = stringAt(rule, 'message');
  const message = sent.trim();
  if (text === '') faults.required('rule', 'rule is not specified');
  else if (sent !== '' && message === '') faults.invalid('message', sent, 'must be non-empty if specified');
  else if (hasBreaks(message)) faults.invalid('message', sent, 'must not contain line breaks');
  else if (hasBreaks(text) && message === '')
    faults.required('message', 'message must be specified if rule contains line breaks');
  const expression = stringAt(rule, 'messageExpression');
  if (expression !== '' && expression.trim() === '')
    faults.required('messageExpression', 'messageExpression must be non-empty if specified');
  if (rule.reason !== undefined && !REASONS.includes(String(rule.reason)))
    faults.unsupported('reason', rule.reason, REASONS);
}

function pathFaults(faults: Faults, schema: JsonObject, text: string): void {
  if (text === '') return;
  if (text.trim() === '') faults.invalid('fieldPath', text, 'must be non-empty if specified');
  if (hasBreaks(text)) faults.invalid('fieldPath', text, 'must not contain line breaks');
  if (!fieldAt(schema, text)) faults.invalid('fieldPath', text, 'must be a valid path');
}

/** The schema of the field that `.a.b['c']` leads to; lists can't be entered. */
export function fieldAt(schema: JsonObject, path: string): JsonObject | undefined {
  const steps = [...path.matchAll(/\.([^.[\]']+)|\['((?:[^'\\]|\\.)*)'\]/g)];
  if (steps.length === 0 || steps.map(([step]) => step).join('') !== path) return undefined;
  let current: JsonObject | undefined = schema;
  for (const [, name, quoted] of steps) {
    const key: string = name ?? (quoted ?? '').replaceAll(/\\(.)/g, '$1');
    const property: unknown = objectAt(current, 'properties')[key];
    const additional: unknown = current?.additionalProperties;
    current = isObject(property) ? property : isObject(additional) ? additional : undefined;
  }
  return current;
}

function hasBreaks(text: string): boolean {
  return /[\n\r]/.test(text);
}
