import type { ApiObject } from '../api-object.ts';
import { isObject, type Json } from '../json.ts';
import type { Resource } from '../resource.ts';
import { validateStructural } from '../schema/validate.ts';
import type { Cause } from '../status-error.ts';

/** After these, CEL rules are not run: they could trip over the value (hasBlockingErr of apiextensions). */
const BLOCKING = new Set([
  'FieldValueRequired',
  'FieldValueNotSupported',
  'FieldValueTooLong',
  'FieldValueTooMany',
  'FieldValueTypeInvalid',
]);

/** Checks a custom resource by its schema, its scale subresource and its CEL rules. */
export function validateCustom(resource: Resource, object: ApiObject, old: ApiObject | undefined): Cause[] {
  const custom = resource.custom;
  if (!custom) return [];
  const causes = validateStructural(custom.schema, object, '', old);
  causes.push(...scaleCauses(resource, object));
  if (causes.some((cause) => BLOCKING.has(cause.reason))) {
    causes.push({
      reason: 'FieldValueInvalid',
      field: '<nil>',
      message:
        'Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation',
    });
    return causes;
  }
  return [...causes, ...custom.rules.validate(object, old)];
}

function scaleCauses(resource: Resource, object: ApiObject): Cause[] {
  const path = resource.custom?.scale?.specReplicasPath;
  if (path === undefined) return [];
  let value: Json | undefined = object;
  for (const key of path.split('.').slice(1)) value = isObject(value) ? value[key] : undefined;
  if (value === undefined || value === null) return [];
  const bad = (shown: number, why: string): Cause[] => [
    { reason: 'FieldValueInvalid', field: path, message: `Invalid value: ${shown}: ${why}` },
  ];
  if (!Number.isInteger(value)) {
    const type = typeof value === 'number' ? 'float64' : typeof value;
    return bad(0, `${path} accessor error: ${String(value)} is of the type ${type}, expected int64`);
  }
  return Number(value) < 0 ? bad(Number(value), 'should be a non-negative integer') : [];
}
