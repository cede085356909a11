import type { ApiObject } from '../api-object.ts';
import { objectAt } from '../json.ts';
import type { Resource } from '../resource.ts';
import { FIELDS } from './events.ts';

type Converters = Pick<Resource, 'fromStored' | 'toStored'>;

const SAME: Converters = { fromStored: (object) => object, toStored: (object) => object };

/** Fields of core Events and what events.k8s.io calls them. */
const EVENT_FIELDS = [
  ...FIELDS.filter(([core, other]) => core !== other),
  ['reportingComponent', 'reportingController'],
] as const;

function renamed(
  object: ApiObject,
  apiVersion: string,
  names: readonly (readonly [string, string])[],
): ApiObject {
  const map = new Map(names);
  const entries = Object.entries(object).map(([key, value]) => [map.get(key) ?? key, value] as const);
  return { ...(Object.fromEntries(entries) as ApiObject), apiVersion };
}

const newEvents = (): Converters => ({
  fromStored: remembered((object) => renamed(object, 'events.k8s.io/v1', EVENT_FIELDS)),
  toStored: (object) =>
    renamed(
      object,
      'v1',
      EVENT_FIELDS.map(([core, other]) => [other, core] as const),
    ),
});

/** Drops the fields of coordinated leader election, because its feature gate is off by default. */
function plainLease(lease: ApiObject): ApiObject {
  const { strategy: _, preferredHolder: __, ...spec } = objectAt(lease, 'spec');
  return { ...lease, spec };
}

/** How a version reads and writes what its collection holds. */
export function converters(group: string, collection: string): Converters {
  if (group === 'events.k8s.io') return newEvents();
  if (collection === 'coordination.k8s.io/leases') return { ...SAME, toStored: plainLease };
  return SAME;
}

/** Caches the converted object, so that each object is converted once. */
export function remembered(convert: (object: ApiObject) => ApiObject): (object: ApiObject) => ApiObject {
  const known = new WeakMap<ApiObject, ApiObject>();
  return (object) => {
    let made = known.get(object);
    if (!made) {
      made = convert(object);
      known.set(object, made);
    }
    return made;
  };
}
