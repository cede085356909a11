import { compileRules } from '../cel/rules.ts';
import type { Faults } from '../faults.ts';
import { clone, equal, type JsonObject, objectsAt } from '../json.ts';
import { prune } from '../schema/structural.ts';
import { validateStructural } from '../schema/validate.ts';
import { children } from './schema-faults.ts';

/**
 * What is wrong with the defaults of a schema. Each is checked as it stands, by the schema and its CEL rules: what
 * defaults below it would add is not there yet (ValidateDefaults of apiextensions).
 */
export function defaultFaults(faults: Faults, schema: JsonObject, isRoot = true): void {
  if (!isRoot) ownFaults(faults, schema);
  for (const [child, key] of children(schema)) {
    const [, top] = /^properties\[(metadata|kind|apiVersion)\]$/.exec(key) ?? [];
    if (isRoot && top !== undefined) topFaults(faults.at(key), child, top);
    // Other checks report defaults in places where none are allowed.
    else if (key !== 'additionalProperties') defaultFaults(faults.at(key), child, false);
  }
}

function topFaults(faults: Faults, schema: JsonObject, name: string): void {
  if (schema.default !== undefined) faults.forbidden('default', `must not be set in top-level ${name}`);
  for (const [child, key] of children(schema)) topFaults(faults.at(key), child, name);
}

function ownFaults(faults: Faults, schema: JsonObject): void {
  const { default: value, ...rest } = schema;
  if (value === undefined) return;
  const pruned = clone(value);
  prune(schema, pruned, false);
  if (!equal(pruned, value)) faults.invalid('default', value, 'must not have unknown fields');
  const path = faults.at('default').path;
  const broken = validateStructural(rest, value, path);
  faults.causes.push(...broken);
  if (broken.length > 0 || !hasRules(schema)) return;
  const rules = compileRules(schema, false);
  // Rules that do not compile are found by other checks.
  if (rules.errors.length > 0) return;
  const asUpdate = rules.validate(value, value, { ratchet: false, path });
  const found = asUpdate.length > 0 ? asUpdate : rules.validate(value, undefined, { ratchet: false, path });
  faults.causes.push(...found);
}

function hasRules(schema: JsonObject): boolean {
  if (objectsAt(schema, 'x-kubernetes-validations').length > 0) return true;
  return children(schema).some(([child]) => hasRules(child));
}
