import type { ApiObject } from '../api-object.ts';
import { equal, type Json, numberAt, setDefault, stringAt } from '../json.ts';
import { fieldInvalid, fieldRequired } from '../object-meta.ts';
import type { Behaviour } from '../resource.ts';
import type { Cause } from '../status-error.ts';

const MAX_FIELD = 128;
const MAX_NOTE = 1024;

/** Fields as the core group calls them, with what events.k8s.io calls them. */
const FIELDS: readonly (readonly [core: string, other: string])[] = [
  ['involvedObject', 'regarding'],
  ['reason', 'reason'],
  ['message', 'note'],
  ['source', 'deprecatedSource'],
  ['firstTimestamp', 'deprecatedFirstTimestamp'],
  ['lastTimestamp', 'deprecatedLastTimestamp'],
  ['count', 'deprecatedCount'],
  // ValidateEventUpdate checks the reason twice.
  ['reason', 'reason'],
  ['type', 'type'],
  ['eventTime', 'eventTime'],
  ['action', 'action'],
  ['related', 'related'],
  ['reportingController', 'reportingController'],
  ['reportingInstance', 'reportingInstance'],
];

/** Events of the core group, which also holds those of events.k8s.io. */
export const EVENTS: Behaviour = {
  zero(object) {
    const core = object.apiVersion === 'v1';
    const nulls = core
      ? ['eventTime', 'firstTimestamp', 'lastTimestamp']
      : ['eventTime', 'deprecatedFirstTimestamp', 'deprecatedLastTimestamp'];
    for (const key of nulls) if (object[key] === undefined) object[key] = null;
    if (core) setDefault(object, 'reportingComponent', '');
    if (core) setDefault(object, 'reportingInstance', '');
  },
  validate(object, old) {
    const core = object.apiVersion === 'v1';
    if (old) return core ? commonFaults(object) : changedFaults(object, old);
    return core ? commonFaults(object) : [...commonFaults(object), ...newFaults(object)];
  },
};

/** legacyValidateEvent of Kubernetes. */
function commonFaults(object: ApiObject): Cause[] {
  const core = object.apiVersion === 'v1';
  const namespace = stringAt(object, core ? 'involvedObject' : 'regarding', 'namespace');
  const own = object.metadata.namespace ?? '';
  const timed = object.eventTime !== null && object.eventTime !== undefined;
  const anywhere = own === 'default' || (timed && own === 'kube-system');
  const causes: Cause[] = [];
  if (namespace === '' ? !anywhere : namespace !== own)
    causes.push(fieldInvalid('involvedObject.namespace', namespace, 'does not match event.namespace'));
  if (!timed) return causes;
  const required: [name: string, field: string][] = [
    [core ? 'reportingComponent' : 'reportingController', 'reportingController'],
    ['reportingInstance', 'reportingInstance'],
    ['action', 'action'],
    ['reason', 'reason'],
  ];
  for (const [name, field] of required) {
    const { length } = stringAt(object, name);
    if (length === 0) causes.push(fieldRequired(field));
    else if (length > MAX_FIELD)
      causes.push(fieldInvalid(field, '', `can have at most ${MAX_FIELD} characters`));
  }
  if (stringAt(object, core ? 'message' : 'note').length > MAX_NOTE)
    causes.push(fieldInvalid('message', '', `can have at most ${MAX_NOTE} characters`));
  return causes;
}

/** ValidateEventCreate for requests of events.k8s.io/v1. */
function newFaults(object: ApiObject): Cause[] {
  const causes: Cause[] = [];
  if (object.eventTime === null || object.eventTime === undefined) causes.push(fieldRequired('eventTime'));
  const type = stringAt(object, 'type');
  if (type !== 'Normal' && type !== 'Warning')
    causes.push(fieldInvalid('type', '', `has invalid value: ${type}`));
  const unset: [field: string, set: boolean][] = [
    ['firstTimestamp', stringAt(object, 'deprecatedFirstTimestamp') !== ''],
    ['lastTimestamp', stringAt(object, 'deprecatedLastTimestamp') !== ''],
    ['count', (numberAt(object, 'deprecatedCount') ?? 0) !== 0],
    ['source', ['component', 'host'].some((key) => stringAt(object, 'deprecatedSource', key) !== '')],
  ];
  for (const [field, set] of unset) if (set) causes.push(fieldInvalid(field, '', 'needs to be unset'));
  return causes;
}

/** ValidateEventUpdate for requests of events.k8s.io/v1: only the series changes. */
function changedFaults(object: ApiObject, old: ApiObject): Cause[] {
  const at = (event: ApiObject, name: string): Json => event[name] ?? null;
  return FIELDS.filter(([, name]) => !equal(at(old, name), at(object, name))).map(([field, name]) =>
    fieldInvalid(field, at(object, name), 'field is immutable'),
  );
}
