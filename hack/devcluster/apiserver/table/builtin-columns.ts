import type { ApiObject } from '../api-object.ts';
import {
  arrayAt,
  isObject,
  type Json,
  type JsonObject,
  numberAt,
  objectAt,
  objectsAt,
  stringAt,
  stringsAt,
  valueAt,
} from '../json.ts';
import { age, orNone } from './cells.ts';
import { AGE_COLUMN, type Column, column, NAME_COLUMN } from './column.ts';
import { podColumns } from './pod-columns.ts';

const HOLDER_TEXT =
  'holderIdentity contains the identity of the holder of a current lease. If Coordinated Leader Election is used, the holder identity must be equal to the elected LeaseCandidate.metadata.name field.';
const DATA_TEXT =
  "Data contains the configuration data. Each key must consist of alphanumeric characters, '-', '_' or '.'. Values with non-UTF-8 byte sequences must use the BinaryData field. The keys stored in Data must not overlap with the keys in the BinaryData field, this is enforced during validation process.";

const SECRET_TYPE_TEXT =
  'Used to facilitate programmatic handling of secret data. More info: https://kubernetes.io/docs/concepts/configuration/secret/#secret-types';
const SECRET_DATA_TEXT =
  "Data contains the secret data. Each key must consist of alphanumeric characters, '-', '_' or '.'. The serialized form of the secret data is a base64 encoded string, representing the arbitrary (possibly non-string) data value here. Described in https://tools.ietf.org/html/rfc4648#section-4";

/** Columns of the built-in kinds that kubectl shows more than a name and an age of. */
export function builtinColumns(collection: string): Column[] | undefined {
  if (collection === 'events') return eventColumns();
  const columns = COLUMNS[collection];
  return columns && [NAME_COLUMN, ...columns, ...(columns.includes(AGE_COLUMN) ? [] : [AGE_COLUMN])];
}

const count = (object: ApiObject, ...path: string[]): number => numberAt(object, ...path) ?? 0;
const text =
  (...path: string[]): Column['cell'] =>
  (object) =>
    stringAt(object, ...path);
const textOrNone =
  (...path: string[]): Column['cell'] =>
  (object) =>
    orNone(stringAt(object, ...path));

function selector(...path: string[]): Column['cell'] {
  return (object) => {
    const found = objectAt(object, ...path);
    const labels = isObject(found.matchLabels) ? found.matchLabels : found;
    return orNone(
      Object.entries(labels)
        .map(([key, value]) => `${key}=${String(value)}`)
        .join(','),
    );
  };
}

const CONTAINERS: Column[] = [
  column('Containers', (object) => templateContainers(object, 'name'), { wide: true }),
  column('Images', (object) => templateContainers(object, 'image'), { wide: true }),
  column('Selector', selector('spec', 'selector'), { wide: true }),
];

function templateContainers(object: ApiObject, key: string): string {
  return objectsAt(object, 'spec', 'template', 'spec', 'containers')
    .map((each) => stringAt(each, key))
    .join(',');
}

function servicePorts(object: ApiObject): string {
  return orNone(
    objectsAt(object, 'spec', 'ports')
      .map(
        (port) =>
          `${String(port.port)}${port.nodePort === undefined ? '' : `:${String(port.nodePort)}`}/${stringAt(port, 'protocol')}`,
      )
      .join(','),
  );
}

function externalIp(object: ApiObject): string {
  const ingress = objectsAt(object, 'status', 'loadBalancer', 'ingress').map(
    (each) => stringAt(each, 'ip') || stringAt(each, 'hostname'),
  );
  const all = [...ingress, ...stringsAt(object, 'spec', 'externalIPs')];
  if (all.length > 0) return all.join(',');
  return stringAt(object, 'spec', 'type') === 'LoadBalancer' ? '<pending>' : '<none>';
}

function nodeStatus(object: ApiObject): string {
  const ready = objectsAt(object, 'status', 'conditions').find((each) => each.type === 'Ready');
  const state = ready === undefined ? 'Unknown' : ready.status === 'True' ? 'Ready' : 'NotReady';
  return valueAt(object, 'spec', 'unschedulable') === true ? `${state},SchedulingDisabled` : state;
}

function nodeRoles(object: ApiObject): string {
  const prefix = 'node-role.kubernetes.io/';
  return orNone(
    Object.keys(object.metadata.labels ?? {})
      .filter((key) => key.startsWith(prefix))
      .map((key) => key.slice(prefix.length))
      .join(','),
  );
}

function metricText(metric: JsonObject, current: JsonObject | undefined): string {
  const type = stringAt(metric, 'type');
  const key = `${type.slice(0, 1).toLowerCase()}${type.slice(1)}`;
  const target = objectAt(metric, key, 'target');
  const now = objectAt(current, key, 'current');
  const percent = target.averageUtilization;
  const shown = (value: Json | undefined, suffix = ''): string =>
    value === undefined ? '<unknown>' : `${String(value)}${suffix}`;
  if (percent !== undefined)
    return `${stringAt(metric, key, 'name')}: ${shown(now.averageUtilization, '%')}/${String(percent)}%`;
  const average = target.averageValue !== undefined;
  return `${shown(average ? now.averageValue : now.value)}/${String(target.averageValue ?? target.value)}${average ? ' (avg)' : ''}`;
}

function autoscalerTargets(object: ApiObject): string {
  const current = objectsAt(object, 'status', 'currentMetrics');
  return orNone(
    objectsAt(object, 'spec', 'metrics')
      .map((metric, index) => metricText(metric, current[index]))
      .join(', '),
  );
}

function eventObject(object: ApiObject): string {
  const about = isObject(object.involvedObject) ? object.involvedObject : objectAt(object, 'regarding');
  return `${stringAt(about, 'kind').toLowerCase()}/${stringAt(about, 'name')}`;
}

function conditionStatus(object: ApiObject, type: string): string {
  return (
    stringAt(
      objectsAt(object, 'status', 'conditions').find((each) => each.type === type),
      'status',
    ) || 'Unknown'
  );
}

function dataCount(object: ApiObject): number {
  return Object.keys(objectAt(object, 'data')).length + Object.keys(objectAt(object, 'binaryData')).length;
}

const ROLE_COLUMNS: Column[] = [
  column('Role', (object) => `${stringAt(object, 'roleRef', 'kind')}/${stringAt(object, 'roleRef', 'name')}`),
];

/** What stands between name and age; where more follows, the age is in its place. */
const COLUMNS: Readonly<Record<string, Column[]>> = {
  pods: podColumns(),
  configmaps: [column('Data', dataCount, { description: DATA_TEXT })],
  secrets: [
    column('Type', text('type'), { description: SECRET_TYPE_TEXT }),
    column('Data', dataCount, { description: SECRET_DATA_TEXT }),
  ],
  namespaces: [column('Status', text('status', 'phase'))],
  serviceaccounts: [column('Secrets', (object) => arrayAt(object, 'secrets').length)],
  nodes: [
    column('Status', nodeStatus),
    column('Roles', nodeRoles),
    AGE_COLUMN,
    column('Version', text('status', 'nodeInfo', 'kubeletVersion')),
  ],
  services: [
    column('Type', text('spec', 'type')),
    column('Cluster-IP', textOrNone('spec', 'clusterIP')),
    column('External-IP', externalIp),
    column('Port(s)', servicePorts),
    AGE_COLUMN,
    column('Selector', selector('spec', 'selector'), { wide: true }),
  ],
  persistentvolumeclaims: [
    column('Status', text('status', 'phase')),
    column('Volume', text('spec', 'volumeName')),
    column('Capacity', text('status', 'capacity', 'storage')),
    column('Access Modes', (object) => stringsAt(object, 'spec', 'accessModes').join(',')),
    column('StorageClass', text('spec', 'storageClassName')),
  ],
  'apps/deployments': [
    column(
      'Ready',
      (object) => `${count(object, 'status', 'readyReplicas')}/${count(object, 'spec', 'replicas')}`,
    ),
    column('Up-to-date', (object) => count(object, 'status', 'updatedReplicas'), { type: 'integer' }),
    column('Available', (object) => count(object, 'status', 'availableReplicas'), { type: 'integer' }),
    AGE_COLUMN,
    ...CONTAINERS,
  ],
  'apps/replicasets': [
    column('Desired', (object) => count(object, 'spec', 'replicas'), { type: 'integer' }),
    column('Current', (object) => count(object, 'status', 'replicas'), { type: 'integer' }),
    column('Ready', (object) => count(object, 'status', 'readyReplicas'), { type: 'integer' }),
    AGE_COLUMN,
    ...CONTAINERS,
  ],
  'autoscaling/horizontalpodautoscalers': [
    column(
      'Reference',
      (object) =>
        `${stringAt(object, 'spec', 'scaleTargetRef', 'kind')}/${stringAt(object, 'spec', 'scaleTargetRef', 'name')}`,
    ),
    column('Targets', autoscalerTargets),
    column('MinPods', (object) => String(count(object, 'spec', 'minReplicas')) || '<unset>'),
    column('MaxPods', (object) => count(object, 'spec', 'maxReplicas'), { type: 'integer' }),
    column('Replicas', (object) => count(object, 'status', 'currentReplicas'), { type: 'integer' }),
  ],
  'policy/poddisruptionbudgets': [
    column('Min Available', (object) => String(valueAt(object, 'spec', 'minAvailable') ?? 'N/A')),
    column('Max Unavailable', (object) => String(valueAt(object, 'spec', 'maxUnavailable') ?? 'N/A')),
    column('Allowed Disruptions', (object) => count(object, 'status', 'disruptionsAllowed'), {
      type: 'integer',
    }),
  ],
  'networking.k8s.io/networkpolicies': [column('Pod-Selector', selector('spec', 'podSelector'))],
  'networking.k8s.io/ingresses': [
    column('Class', textOrNone('spec', 'ingressClassName')),
    column(
      'Hosts',
      (object) =>
        objectsAt(object, 'spec', 'rules')
          .map((rule) => stringAt(rule, 'host') || '*')
          .join(',') || '*',
    ),
    column('Address', (object) =>
      objectsAt(object, 'status', 'loadBalancer', 'ingress')
        .map((each) => stringAt(each, 'ip') || stringAt(each, 'hostname'))
        .join(','),
    ),
    column('Ports', (object) => (arrayAt(object, 'spec', 'tls').length > 0 ? '80, 443' : '80')),
  ],
  'coordination.k8s.io/leases': [
    column('Holder', text('spec', 'holderIdentity'), { description: HOLDER_TEXT }),
  ],
  'discovery.k8s.io/endpointslices': [
    column('AddressType', text('addressType')),
    column(
      'Ports',
      (object) =>
        objectsAt(object, 'ports')
          .map((port) => String(port.port))
          .join(',') || '<unset>',
    ),
    column(
      'Endpoints',
      (object) =>
        objectsAt(object, 'endpoints')
          .flatMap((each) => stringsAt(each, 'addresses'))
          .join(',') || '<unset>',
    ),
  ],
  'rbac.authorization.k8s.io/rolebindings': ROLE_COLUMNS,
  'rbac.authorization.k8s.io/clusterrolebindings': ROLE_COLUMNS,
  'apiregistration.k8s.io/apiservices': [
    column('Service', (object) =>
      isObject(valueAt(object, 'spec', 'service'))
        ? `${stringAt(object, 'spec', 'service', 'namespace')}/${stringAt(object, 'spec', 'service', 'name')}`
        : 'Local',
    ),
    column('Available', (object) => conditionStatus(object, 'Available')),
  ],
};

/** Events start with when they were last seen instead of a name. */
function eventColumns(): Column[] {
  return [
    column('Last Seen', (object, now) =>
      age(
        stringAt(object, 'lastTimestamp') ||
          stringAt(object, 'deprecatedLastTimestamp') ||
          stringAt(object, 'eventTime') ||
          object.metadata.creationTimestamp,
        now,
      ),
    ),
    column('Type', text('type')),
    column('Reason', text('reason')),
    column('Object', eventObject),
    column('Message', (object) => (stringAt(object, 'message') || stringAt(object, 'note')).trim()),
  ];
}
