import { isObject, type Json, type JsonObject, objectsAt, stringAt, stringsAt } from './json.ts';
import { qualifiedName } from './object-meta.ts';
import { badRequest } from './status-error.ts';

/** Decides on an object's labels or fields. */
export type LabelMatcher = (labels: { readonly [key: string]: string } | undefined) => boolean;

const NAME = /^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)$/;

/** Parses a label selector as kubectl writes it. Throws BadRequest on a syntax error; empty selects all. */
export function parseLabelSelector(text: string): LabelMatcher {
  const requirements = splitRequirements(text).map((part) => parseRequirement(part, text));
  return (labels) => requirements.every((matches) => matches(labels));
}

function splitRequirements(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let start = 0;
  for (let index = 0; index < text.length; index++) {
    if (text[index] === '(') depth++;
    else if (text[index] === ')') depth--;
    else if (text[index] === ',' && depth === 0) {
      parts.push(text.slice(start, index));
      start = index + 1;
    }
  }
  parts.push(text.slice(start));
  return parts.length === 1 && text.trim() === '' ? [] : parts;
}

function parseRequirement(part: string, whole: string): LabelMatcher {
  const fail = (why: string): never => {
    throw badRequest(`unable to parse requirement: ${why} in ${JSON.stringify(whole)}`);
  };
  const text = part.trim();
  const absent = /^!\s*([^\s=!<>(),]+)$/.exec(text);
  if (absent) return not(exists(key(absent[1] ?? '', fail)));
  if (/^[^\s=!<>(),]+$/.test(text)) return exists(key(text, fail));
  const compared = /^([^\s=!<>(),]+)\s*(==|!=|=|<|>)\s*([^\s=!<>(),]*)$/.exec(text);
  if (compared) {
    const name = key(compared[1] ?? '', fail);
    const value = compared[3] ?? '';
    if (value !== '' && (!NAME.test(value) || value.length > 63))
      fail(`invalid label value ${JSON.stringify(value)}`);
    if (compared[2] === '!=') return not(oneOf(name, [value]));
    if (compared[2] === '<' || compared[2] === '>') return numeric(name, compared[2], value, fail);
    return oneOf(name, [value]);
  }
  const set = /^([^\s=!<>(),]+)\s+(in|notin)\s*\(([^()]*)\)$/.exec(text);
  if (set) {
    const values = (set[3] ?? '').split(',').map((value) => value.trim());
    const within = oneOf(key(set[1] ?? '', fail), values);
    return set[2] === 'in' ? within : not(within);
  }
  return fail(`found ${JSON.stringify(text)}`);
}

function key(text: string, fail: (why: string) => never): string {
  if (!qualifiedName(text)) fail(`invalid label key ${JSON.stringify(text)}`);
  return text;
}

function exists(name: string): LabelMatcher {
  return (labels) => labels !== undefined && name in labels;
}

function oneOf(name: string, values: readonly string[]): LabelMatcher {
  return (labels) => {
    const value = labels?.[name];
    return value !== undefined && values.includes(value);
  };
}

function not(matcher: LabelMatcher): LabelMatcher {
  return (labels) => !matcher(labels);
}

function numeric(name: string, sign: '<' | '>', text: string, fail: (why: string) => never): LabelMatcher {
  if (!/^-?\d+$/.test(text)) fail(`for 'Gt', 'Lt' operators, the value must be an integer`);
  const bound = Number(text);
  return (labels) => {
    const value = labels?.[name];
    if (value === undefined || !/^-?\d+$/.test(value)) return false;
    return sign === '<' ? Number(value) < bound : Number(value) > bound;
  };
}

/** A matcher from a LabelSelector object (matchLabels, matchExpressions). */
export function matcherOf(selector: Json | undefined): LabelMatcher {
  if (!isObject(selector)) return () => false;
  const matchers: LabelMatcher[] = [];
  const labels = selector.matchLabels;
  if (isObject(labels)) {
    for (const [name, value] of Object.entries(labels)) matchers.push(oneOf(name, [String(value)]));
  }
  for (const expression of objectsAt(selector, 'matchExpressions'))
    matchers.push(expressionMatcher(expression));
  return (candidate) => matchers.every((matches) => matches(candidate));
}

function expressionMatcher(expression: JsonObject): LabelMatcher {
  const name = stringAt(expression, 'key');
  const values = stringsAt(expression, 'values');
  if (expression.operator === 'In') return oneOf(name, values);
  if (expression.operator === 'NotIn') return not(oneOf(name, values));
  if (expression.operator === 'DoesNotExist') return not(exists(name));
  return exists(name);
}

/** A condition of a field selector. */
export interface FieldRequirement {
  field: string;
  value: string;
  negated: boolean;
}

/** Parses a field selector (`a=b,c!=d`). Throws BadRequest on a syntax error. */
export function parseFieldSelector(text: string): FieldRequirement[] {
  if (text.trim() === '') return [];
  return text.split(/(?<!\\),/).map((part) => {
    const parsed = /^([^=!]+)(==|!=|=)(.*)$/s.exec(part);
    if (!parsed) throw badRequest(`invalid field selector: ${JSON.stringify(text)}`);
    return {
      field: (parsed[1] ?? '').trim(),
      value: (parsed[3] ?? '').replaceAll(/\\([\\,=])/g, '$1'),
      negated: parsed[2] === '!=',
    };
  });
}
