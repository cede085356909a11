import { parseQuantity } from '../../../../operator/values/quantity.ts';
import { ensureObject, type JsonObject, objectAt, objectsAt, setDefault, stringAt } from '../json.ts';
import { fieldInvalid } from '../object-meta.ts';
import type { Behaviour } from '../resource.ts';
import type { Cause } from '../status-error.ts';

/** LimitRanges: checked and stored, but applied to no pod. */
export const LIMIT_RANGES: Behaviour = {
  default(object) {
    for (const limit of objectsAt(object, 'spec', 'limits')) if (limit.type === 'Container') fill(limit);
  },
  validate: (object) =>
    objectsAt(object, 'spec', 'limits').flatMap((limit, index) =>
      limitFaults(limit, `spec.limits[${index}]`),
    ),
};

/** A default is at most the maximum; a default request is the default, or the minimum. */
function fill(limit: JsonObject): void {
  const from = (to: string, ...fields: string[]): void => {
    for (const field of fields) {
      for (const [name, value] of Object.entries(objectAt(limit, field)))
        setDefault(ensureObject(limit, to), name, value);
    }
  };
  from('default', 'max');
  from('defaultRequest', 'default', 'min');
}

function limitFaults(limit: JsonObject, at: string): Cause[] {
  const causes: Cause[] = [];
  const amount = (field: string, name: string): bigint | undefined => {
    const quantity = parseQuantity(stringAt(limit, field, name));
    return quantity && BigInt(quantity.nano);
  };
  const compare = (low: string, high: string, what: string, highWhat: string, shown: string): void => {
    for (const name of Object.keys(objectAt(limit, low))) {
      const below = amount(low, name);
      const above = amount(high, name);
      if (below === undefined || above === undefined || below <= above) continue;
      const text = (field: string): string => stringAt(limit, field, name);
      const field = low === 'default' || low === 'defaultRequest' ? low : high;
      causes.push(
        fieldInvalid(
          `${at}.${field}[${name}]`,
          text(shown),
          `${what} value ${text(low)} is greater than ${highWhat} value ${text(high)}`,
        ),
      );
    }
  };
  compare('min', 'max', 'min', 'max', 'min');
  compare('defaultRequest', 'max', 'default request', 'max', 'defaultRequest');
  compare('default', 'max', 'default', 'max', 'max');
  compare('defaultRequest', 'default', 'default request', 'default limit', 'defaultRequest');
  return causes;
}
