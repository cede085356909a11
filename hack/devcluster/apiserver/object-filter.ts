import type { ApiObject } from './api-object.ts';
import { objectAt, stringAt, valueAt } from './json.ts';
import type { Resource } from './resource.ts';
import { type FieldRequirement, parseFieldSelector, parseLabelSelector } from './selector.ts';
import { badRequest } from './status-error.ts';

/** Which objects a list or watch is about. */
export interface ObjectFilter {
  matches(object: ApiObject): boolean;
  /** No selector was given. */
  all: boolean;
}

/** Fields of the object that an event is about. */
const REFERENCE = ['kind', 'namespace', 'name', 'uid', 'apiVersion', 'resourceVersion', 'fieldPath'];

/** Fields that can be selected besides metadata.name and metadata.namespace. */
const SELECTABLE: Readonly<Record<string, readonly string[]>> = {
  pods: [
    'spec.nodeName',
    'spec.restartPolicy',
    'spec.schedulerName',
    'spec.serviceAccountName',
    'spec.hostNetwork',
    'status.phase',
    'status.podIP',
    'status.podIPs',
    'status.nominatedNodeName',
  ],
  events: [
    ...REFERENCE.flatMap((key) => [`involvedObject.${key}`, `regarding.${key}`]),
    ...['reason', 'reportingComponent', 'reportingController', 'source', 'type'],
  ],
  secrets: ['type'],
  namespaces: ['status.phase'],
  nodes: ['spec.unschedulable'],
  'apps/replicasets': ['status.replicas'],
  services: ['spec.clusterIP', 'spec.type'],
};

/** Builds the filter from labelSelector and fieldSelector. Throws BadRequest. */
export function parseFilter(resource: Resource, query: URLSearchParams): ObjectFilter {
  const labelText = query.get('labelSelector') ?? '';
  const fieldText = query.get('fieldSelector') ?? '';
  if (labelText === '' && fieldText === '') return { matches: () => true, all: true };
  const labels = parseLabelSelector(labelText);
  const fields = parseFieldSelector(fieldText);
  for (const { field } of fields) assertSelectable(resource, field);
  return {
    all: false,
    matches: (object) =>
      labels(object.metadata.labels ?? {}) &&
      fields.every((requirement) => fieldMatches(object, requirement)),
  };
}

function assertSelectable(resource: Resource, field: string): void {
  if (field === 'metadata.name' || field === 'metadata.namespace') return;
  if (SELECTABLE[resource.collection]?.includes(field)) return;
  if (resource.custom?.selectableFields.includes(`.${field}`)) return;
  if (resource.custom || SELECTABLE[resource.collection])
    throw badRequest(`field label not supported: ${field}`);
  throw badRequest(
    `${JSON.stringify(field)} is not a known field selector: only "metadata.name", "metadata.namespace"`,
  );
}

function fieldMatches(object: ApiObject, { field, value, negated }: FieldRequirement): boolean {
  return (fieldValue(object, field) === value) !== negated;
}

function fieldValue(object: ApiObject, field: string): string {
  if (
    object.kind === 'Event' &&
    (field === 'source' || field.startsWith('regarding.') || field.startsWith('involvedObject.'))
  ) {
    return eventField(object, field);
  }
  const value = valueAt(object, ...field.split('.'));
  if (value === undefined && (field === 'spec.hostNetwork' || field === 'spec.unschedulable')) return 'false';
  return value === undefined || value === null ? '' : String(value);
}

function eventField(object: ApiObject, field: string): string {
  if (field === 'source')
    return stringAt(object, 'source', 'component') || stringAt(object, 'reportingComponent');
  const key = field.slice(field.indexOf('.') + 1);
  const about = object.regarding ?? object.involvedObject;
  return stringAt(objectAt({ about: about ?? null }, 'about'), key);
}
