import { isObject, type Json } from '../json.ts';

/**
 * The values at a JSONPath of the kind that printer columns use: fields, `[n]`, `[*]`, `['key']`, and
 * filters `[?(@.type=="Ready")]`.
 */
export function jsonPathValues(root: Json, path: string): Json[] {
  let current: Json[] = [root];
  for (const step of parse(path)) current = current.flatMap((value) => apply(value, step));
  return current;
}

type Step = { field: string } | { index: number } | { all: true } | { path: string[]; equals: string };

function parse(path: string): Step[] {
  const text = path.replace(/^\{|\}$/g, '').replace(/^\$/, '');
  const steps: Step[] = [];
  const token =
    /\.([^.[\]]+)|\[\?\(@\.?([^=!<>]*?)\s*==\s*(?:"([^"]*)"|'([^']*)'|([^)]*))\)\]|\[(?:'([^']*)'|"([^"]*)")\]|\[(-?\d+)\]|\[\*\]/gy;
  const normal = text.startsWith('.') || text.startsWith('[') ? text : `.${text}`;
  for (let match = token.exec(normal); match; match = token.exec(normal)) {
    const key = match[1] ?? match[6] ?? match[7];
    if (match[1] === '*') steps.push({ all: true });
    else if (key !== undefined) steps.push({ field: key });
    else if (match[2] !== undefined) {
      steps.push({
        path: match[2].split('.').filter((part) => part !== ''),
        equals: match[3] ?? match[4] ?? match[5] ?? '',
      });
    } else if (match[8] !== undefined) steps.push({ index: Number(match[8]) });
    else steps.push({ all: true });
  }
  return steps;
}

function apply(value: Json, step: Step): Json[] {
  if ('field' in step) {
    const child = isObject(value) ? value[step.field] : undefined;
    return child === undefined ? [] : [child];
  }
  if ('index' in step) {
    const child = Array.isArray(value) ? value.at(step.index) : undefined;
    return child === undefined ? [] : [child];
  }
  const items = Array.isArray(value) ? value : isObject(value) ? Object.values(value) : [];
  if ('all' in step) return items;
  return items.filter((item) => {
    let at: Json | undefined = item;
    for (const key of step.path) at = isObject(at) ? at[key] : undefined;
    return at !== undefined && String(at) === step.equals;
  });
}
