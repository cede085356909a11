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
  const middle = MIDDLE[collection];
  if (!middle) return undefined;
  const { before, after } = middle;
  return [NAME_COLUMN, ...before, AGE_COLUMN, ...after];
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

function claimCapacity(object: ApiObject): string {
  return stringAt(object, 'status', 'capacity', 'storage');
}

const ROLE_COLUMNS: Column[] = [
  column('Role', (object) => `${stringAt(object, 'roleRef', 'kind')}/${stringAt(object, 'roleRef', 'name')}`),
];

interface Middle {
  before: Column[];
  after: Column[];
}

const MIDDLE: Readonly<Record<string, Middle>> = {
  pods: podColumns(),
  configmaps: { before: [column('Data', dataCount, { description: DATA_TEXT })], after: [] },
  secrets: {
    before: [
      column('Type', text('type'), { description: SECRET_TYPE_TEXT }),
      column('Data', dataCount, { description: SECRET_DATA_TEXT }),
    ],
    after: [],
  },
  namespaces: { before: [column('Status', text('status', 'phase'))], after: [] },
  serviceaccounts: { before: [column('Secrets', (object) => arrayAt(object, 'secrets').length)], after: [] },
  nodes: {
    before: [column('Status', nodeStatus), column('Roles', nodeRoles)],
    after: [column('Version', text('status', 'nodeInfo', 'kubeletVersion'))],
  },
  services: {
    before: [
      column('Type', text('spec', 'type')),
      column('Cluster-IP', textOrNone('spec', 'clusterIP')),
      column('External-IP', externalIp),
      column('Port(s)', servicePorts),
    ],
    after: [column('Selector', selector('spec', 'selector'), { wide: true })],
  },
  persistentvolumeclaims: {
    before: [
      column('Status', text('status', 'phase')),
      column('Volume', text('spec', 'volumeName')),
      column('Capacity', claimCapacity),
      column('Access Modes', (object) => stringsAt(object, 'spec', 'accessModes').join(',')),
      column('StorageClass', text('spec', 'storageClassName')),
    ],
    after: [],
  },
  'apps/deployments': {
    before: [
      column(
        'Ready',
        (object) => `${count(object, 'status', 'readyReplicas')}/${count(object, 'spec', 'replicas')}`,
      ),
      column('Up-to-date', (object) => count(object, 'status', 'updatedReplicas'), { type: 'integer' }),
      column('Available', (object) => count(object, 'status', 'availableReplicas'), { type: 'integer' }),
    ],
    after: CONTAINERS,
  },
  'apps/replicasets': {
    before: [
      column('Desired', (object) => count(object, 'spec', 'replicas'), { type: 'integer' }),
      column('Current', (object) => count(object, 'status', 'replicas'), { type: 'integer' }),
      column('Ready', (object) => count(object, 'status', 'readyReplicas'), { type: 'integer' }),
    ],
    after: CONTAINERS,
  },
  'autoscaling/horizontalpodautoscalers': {
    before: [
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
    after: [],
  },
  'policy/poddisruptionbudgets': {
    before: [
      column('Min Available', (object) => String(valueAt(object, 'spec', 'minAvailable') ?? 'N/A')),
      column('Max Unavailable', (object) => String(valueAt(object, 'spec', 'maxUnavailable') ?? 'N/A')),
      column('Allowed Disruptions', (object) => count(object, 'status', 'disruptionsAllowed'), {
        type: 'integer',
      }),
    ],
    after: [],
  },
  'networking.k8s.io/networkpolicies': {
    before: [column('Pod-Selector', selector('spec', 'podSelector'))],
    after: [],
  },
  'networking.k8s.io/ingresses': {
    before: [
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
    after: [],
  },
  'coordination.k8s.io/leases': {
    before: [column('Holder', text('spec', 'holderIdentity'), { description: HOLDER_TEXT })],
    after: [],
  },
  'discovery.k8s.io/endpointslices': {
    before: [
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
    after: [],
  },
  'rbac.authorization.k8s.io/rolebindings': { before: ROLE_COLUMNS, after: [] },
  'rbac.authorization.k8s.io/clusterrolebindings': { before: ROLE_COLUMNS, after: [] },
  'apiregistration.k8s.io/apiservices': {
    before: [
      column('Service', (object) =>
        isObject(valueAt(object, 'spec', 'service'))
          ? `${stringAt(object, 'spec', 'service', 'namespace')}/${stringAt(object, 'spec', 'service', 'name')}`
          : 'Local',
      ),
      column('Available', (object) => conditionStatus(object, 'Available')),
    ],
    after: [],
  },
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
