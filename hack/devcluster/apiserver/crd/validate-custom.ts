import type { ApiObject } from '../api-object.ts';
import { fieldInvalid } from '../faults.ts';
import { goTypeOf, isObject, type Json, objectAt } from '../json.ts';
import type { CustomParts, Resource, WriteContext } from '../resource.ts';
import { validateStructural } from '../schema/validate.ts';
import type { Cause } from '../status-error.ts';
import { words } from '../words.ts';

/** After these, CEL rules are not run: they could trip over the value (hasBlockingErr of apiextensions). */
const BLOCKING = words(
  `FieldValueRequired FieldValueNotSupported FieldValueTooLong FieldValueTooMany FieldValueTypeInvalid`,
);

const MAX_REPLICAS = 2 ** 31 - 1;

/** Checks a custom resource by its schema, its scale subresource and its CEL rules; of a status write only the status. */
export function validateCustom(
  resource: Resource,
  object: ApiObject,
  old: ApiObject | undefined,
  context: WriteContext,
): Cause[] {
  const custom = resource.custom;
  if (!custom) return [];
  const causes =
    context.subresource === 'status' ? statusCauses(custom, object, old) : wholeCauses(custom, object, old);
  if (causes.some((cause) => BLOCKING.has(cause.reason))) {
    causes.push({
      reason: 'FieldValueInvalid',
      field: '<nil>',
      message:
        'Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation',
    });
    return causes;
  }
  return [...causes, ...custom.rules.validate(object, old, { ratchet: true, warn: context.warn })];
}

function wholeCauses(custom: CustomParts, object: ApiObject, old: ApiObject | undefined): Cause[] {
  const path = custom.scale?.specReplicasPath;
  return [
    ...validateStructural(custom.schema, object, '', old),
    ...(path === undefined ? [] : replicaCauses(object, path)),
    ...scaleStatusCauses(custom, object),
  ];
}

function statusCauses(custom: CustomParts, object: ApiObject, old: ApiObject | undefined): Cause[] {
  const schema = objectAt(custom.schema, 'properties', 'status');
  return [
    ...(object.status === undefined ? [] : validateStructural(schema, object.status, 'status', old?.status)),
    ...scaleStatusCauses(custom, object),
  ];
}

function scaleStatusCauses({ scale }: CustomParts, object: ApiObject): Cause[] {
  if (!scale) return [];
  const { labelSelectorPath: path } = scale;
  const selector = path === undefined ? undefined : nested(object, path, 'string');
  return [
    ...replicaCauses(object, scale.statusReplicasPath),
    ...(selector?.fault === undefined ? [] : [fieldInvalid(path ?? '', '', selector.fault)]),
  ];
}

function replicaCauses(object: ApiObject, path: string): Cause[] {
  const { value, fault } = nested(object, path, 'int64');
  if (fault !== undefined) return [fieldInvalid(path, 0, fault)];
  const count = Number(value ?? 0);
  if (count < 0) return [fieldInvalid(path, count, 'should be a non-negative integer')];
  if (count <= MAX_REPLICAS) return [];
  return [fieldInvalid(path, count, `should be less than or equal to ${MAX_REPLICAS}`)];
}

/** The value at a path, or why it can't be read as the type (NestedInt64 and NestedString of apimachinery). */
function nested(object: ApiObject, path: string, type: 'int64' | 'string'): { value?: Json; fault?: string } {
  const fault = (value: Json, wanted: string): { fault: string } => ({
    fault: `${path} accessor error: ${String(value)} is of the type ${goTypeOf(value)}, expected ${wanted}`,
  });
  let value: Json | undefined = object;
  for (const key of path.split('.').slice(1)) {
    if (!isObject(value)) return fault(value ?? null, 'map[string]interface{}');
    value = value[key];
    if (value === undefined) return {};
  }
  const fits = type === 'string' ? typeof value === 'string' : Number.isInteger(value);
  return fits ? { value } : fault(value, type);
}
