import { compileRules } from '../cel/rules.ts';
import { clone, equal, type Json, type JsonObject, objectsAt } from '../json.ts';
import { fieldInvalid } from '../object-meta.ts';
import { prune } from '../schema/structural.ts';
import { validateStructural } from '../schema/validate.ts';
import type { Cause } from '../status-error.ts';
import { children, fieldForbidden } from './schema-faults.ts';

/**
 * What is wrong with the defaults of a schema. Each is checked as it stands, by the schema and its CEL rules: what
 * defaults below it would add is not there yet (ValidateDefaults of apiextensions).
 */
export function defaultFaults(schema: JsonObject, path: string, isRoot = true): Cause[] {
  const causes: Cause[] = [];
  if (schema.default !== undefined && !isRoot)
    causes.push(...faultsOf(schema, schema.default, `${path}.default`));
  for (const [child, at] of children(schema, path)) {
    // Where defaults can't be, other checks find them.
    if (at.endsWith('.additionalProperties')) continue;
    if (isRoot && /\.properties\[(metadata|kind|apiVersion)\]$/.test(at))
      causes.push(...topFaults(child, at));
    else causes.push(...defaultFaults(child, at, false));
  }
  return causes;
}

function topFaults(schema: JsonObject, path: string): Cause[] {
  const name = /\[(\w+)\]$/.exec(path)?.[1] ?? '';
  const own =
    schema.default === undefined
      ? []
      : [fieldForbidden(`${path}.default`, `must not be set in top-level ${name}`)];
  return [...own, ...children(schema, path).flatMap(([child, at]) => topFaults(child, at))];
}

function faultsOf(schema: JsonObject, value: Json, path: string): Cause[] {
  const pruned = clone(value);
  prune(schema, pruned, false);
  const causes = equal(pruned, value) ? [] : [fieldInvalid(path, value, 'must not have unknown fields')];
  const { default: _, ...rest } = schema;
  const broken = validateStructural(rest, value, path);
  if (broken.length > 0) return [...causes, ...broken];
  if (!hasRules(schema)) return causes;
  const rules = compileRules(schema, false);
  // Rules that do not compile are found by other checks.
  if (rules.errors.length > 0) return causes;
  const asUpdate = rules.validate(value, value, { ratchet: false, path });
  if (asUpdate.length > 0) return [...causes, ...asUpdate];
  return [...causes, ...rules.validate(value, undefined, { ratchet: false, path })];
}

function hasRules(schema: JsonObject): boolean {
  if (objectsAt(schema, 'x-kubernetes-validations').length > 0) return true;
  return children(schema, '').some(([child]) => hasRules(child));
}
