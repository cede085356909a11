import { isObject, type JsonObject, objectAt, objectsAt, stringAt } from '../json.ts';
import { fieldInvalid, fieldRequired } from '../object-meta.ts';
import type { Cause } from '../status-error.ts';

const REASONS = ['FieldValueDuplicate', 'FieldValueForbidden', 'FieldValueInvalid', 'FieldValueRequired'];

/** What is wrong with the form of a schema's x-kubernetes-validations; whether they compile is another matter. */
export function ruleFaults(schema: JsonObject, path: string): Cause[] {
  return objectsAt(schema, 'x-kubernetes-validations').flatMap((rule, index) => [
    ...textFaults(rule, `${path}.x-kubernetes-validations[${index}]`),
    ...pathFaults(schema, rule, `${path}.x-kubernetes-validations[${index}].fieldPath`),
  ]);
}

function textFaults(rule: JsonObject, path: string): Cause[] {
  const causes: Cause[] = [];
  const text = stringAt(rule, 'rule').trim();
  const sent = stringAt(rule, 'message');
  const message = sent.trim();
  if (text === '') causes.push(fieldRequired(`${path}.rule`, 'rule is not specified'));
  else if (sent !== '' && message === '')
    causes.push(fieldInvalid(`${path}.message`, sent, 'must be non-empty if specified'));
  else if (hasBreaks(message))
    causes.push(fieldInvalid(`${path}.message`, sent, 'must not contain line breaks'));
  else if (hasBreaks(text) && message === '')
    causes.push(fieldRequired(`${path}.message`, 'message must be specified if rule contains line breaks'));
  const expression = stringAt(rule, 'messageExpression');
  if (expression !== '' && expression.trim() === '')
    causes.push(
      fieldRequired(`${path}.messageExpression`, 'messageExpression must be non-empty if specified'),
    );
  if (rule.reason !== undefined && !REASONS.includes(String(rule.reason))) {
    const list = REASONS.map((reason) => JSON.stringify(reason)).join(', ');
    causes.push({
      reason: 'FieldValueNotSupported',
      field: `${path}.reason`,
      message: `Unsupported value: ${JSON.stringify(rule.reason)}: supported values: ${list}`,
    });
  }
  return causes;
}

function pathFaults(schema: JsonObject, rule: JsonObject, field: string): Cause[] {
  const text = stringAt(rule, 'fieldPath');
  if (text === '') return [];
  const causes: Cause[] = [];
  if (text.trim() === '') causes.push(fieldInvalid(field, text, 'must be non-empty if specified'));
  if (hasBreaks(text)) causes.push(fieldInvalid(field, text, 'must not contain line breaks'));
  if (!isFieldPath(schema, text)) causes.push(fieldInvalid(field, text, 'must be a valid path'));
  return causes;
}

/** Whether `.a.b['c']` leads to a field of a schema; lists can't be entered. */
export function isFieldPath(schema: JsonObject, path: string): boolean {
  const steps = [...path.matchAll(/\.([^.[\]']+)|\['((?:[^'\\]|\\.)*)'\]/g)];
  if (steps.length === 0 || steps.map(([step]) => step).join('') !== path) return false;
  let current: JsonObject | undefined = schema;
  for (const [, name, quoted] of steps) {
    const key: string = name ?? (quoted ?? '').replaceAll(/\\(.)/g, '$1');
    const property: unknown = objectAt(current, 'properties')[key];
    const additional: unknown = current?.additionalProperties;
    current = isObject(property) ? property : isObject(additional) ? additional : undefined;
    if (current === undefined) return false;
  }
  return true;
}

function hasBreaks(text: string): boolean {
  return /[\n\r]/.test(text);
}
