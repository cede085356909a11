import type { ApiObject } from '../api-object.ts';
import type { Faults } from '../faults.ts';
import { equal, setDefault, stringAt } from '../json.ts';
import type { Behaviour } from '../resource.ts';

const MAX_FIELD = 128;
const MAX_NOTE = 1024;

/** Fields as the core group calls them, with what events.k8s.io calls them. */
export const FIELDS: readonly (readonly [core: string, other: string])[] = [
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
  validate(faults, object, old) {
    const core = object.apiVersion === 'v1';
    if (old && !core) changeFaults(faults, object, old);
    else commonFaults(faults, object, core);
    if (!old && !core) newFaults(faults, object);
  },
};

/** legacyValidateEvent of Kubernetes. */
function commonFaults(faults: Faults, object: ApiObject, core: boolean): void {
  const namespace = stringAt(object, core ? 'involvedObject' : 'regarding', 'namespace');
  const own = object.metadata.namespace ?? '';
  const timed = object.eventTime !== null && object.eventTime !== undefined;
  const anywhere = own === 'default' || (timed && own === 'kube-system');
  if (namespace === '' ? !anywhere : namespace !== own)
    faults.invalid('involvedObject.namespace', namespace, 'does not match event.namespace');
  if (!timed) return;
  const reporting = core ? 'reportingComponent' : 'reportingController';
  for (const field of ['reportingController', 'reportingInstance', 'action', 'reason']) {
    const { length } = stringAt(object, field === 'reportingController' ? reporting : field);
    if (length === 0) faults.required(field);
    else if (length > MAX_FIELD) faults.invalid(field, '', `can have at most ${MAX_FIELD} characters`);
  }
  if (stringAt(object, core ? 'message' : 'note').length > MAX_NOTE)
    faults.invalid('message', '', `can have at most ${MAX_NOTE} characters`);
}

/** ValidateEventCreate for requests of events.k8s.io/v1. */
function newFaults(faults: Faults, object: ApiObject): void {
  const { eventTime = null, type = '', deprecatedCount = 0, deprecatedSource = {} } = object;
  if (eventTime === null) faults.required('eventTime');
  if (type !== 'Normal' && type !== 'Warning')
    faults.invalid('type', '', `has invalid value: ${String(type)}`);
  const unset: [field: string, set: boolean][] = [
    ['firstTimestamp', stringAt(object, 'deprecatedFirstTimestamp') !== ''],
    ['lastTimestamp', stringAt(object, 'deprecatedLastTimestamp') !== ''],
    ['count', deprecatedCount !== 0],
    ['source', ['component', 'host'].some((key) => stringAt(deprecatedSource, key) !== '')],
  ];
  for (const [field, set] of unset) if (set) faults.invalid(field, '', 'needs to be unset');
}

/** ValidateEventUpdate for requests of events.k8s.io/v1: only the series changes. */
function changeFaults(faults: Faults, object: ApiObject, old: ApiObject): void {
  for (const [field, name] of FIELDS)
    if (!equal(old[name] ?? null, object[name] ?? null))
      faults.invalid(field, object[name], 'field is immutable');
}
