import type { ApiObject } from '../api-object.ts';
import { arrayAt, isObject, type JsonObject, objectAt, objectsAt, stringAt, valueAt } from '../json.ts';
import { age, orNone } from './cells.ts';
import { AGE_COLUMN, type Column, column, NAME_COLUMN } from './column.ts';
import { jsonPathValues } from './json-path.ts';
import { podColumns } from './pod-columns.ts';

const HOLDER_TEXT =
  'holderIdentity contains the identity of the holder of a current lease. If Coordinated Leader Election is used, the holder identity must be equal to the elected LeaseCandidate.metadata.name field.';
const DATA_TEXT =
  "Data contains the configuration data. Each key must consist of alphanumeric characters, '-', '_' or '.'. Values with non-UTF-8 byte sequences must use the BinaryData field. The keys stored in Data must not overlap with the keys in the BinaryData field, this is enforced during validation process.";

const SECRET_TYPE_TEXT =
  'Used to facilitate programmatic handling of secret data. More info: https://kubernetes.io/docs/concepts/configuration/secret/#secret-types';
const SECRET_DATA_TEXT =
  "Data contains the secret data. Each key must consist of alphanumeric characters, '-', '_' or '.'. The serialized form of the secret data is a base64 encoded string, representing the arbitrary (possibly non-string) data value here. Described in https://tools.ietf.org/html/rfc4648#section-4";

/** The values at a JSONPath, or another text where there is none. */
function textAt(object: ApiObject, path: string, none = ''): string {
  return jsonPathValues(object, path).map(String).join(',') || none;
}

const at =
  (path: string, none = ''): Column['cell'] =>
  (object) =>
    textAt(object, path, none);

/** A column with the number at a JSONPath, zero where there is none. */
const count = (name: string, path: string): Column =>
  column(name, (object) => Number(jsonPathValues(object, path)[0] ?? 0), { type: 'integer' });

/** The labels at a path, `<none>` where there are none. */
const labels =
  (...path: string[]): Column['cell'] =>
  (object) =>
    orNone(
      Object.entries(objectAt(object, ...path))
        .map(([key, value]) => `${key}=${String(value)}`)
        .join(','),
    );

const CONTAINERS: Column[] = [
  column('Containers', at('.spec.template.spec.containers[*].name'), { wide: true }),
  column('Images', at('.spec.template.spec.containers[*].image'), { wide: true }),
  column('Selector', labels('spec', 'selector', 'matchLabels'), { wide: true }),
];

function servicePort({ port, nodePort, protocol }: JsonObject): string {
  return `${String(port)}${nodePort === undefined ? '' : `:${String(nodePort)}`}/${String(protocol)}`;
}

function nodeStatus(object: ApiObject): string {
  const [ready] = jsonPathValues(object, '.status.conditions[?(@.type=="Ready")].status');
  const state = ready === undefined ? 'Unknown' : ready === 'True' ? 'Ready' : 'NotReady';
  return valueAt(object, 'spec', 'unschedulable') === true ? `${state},SchedulingDisabled` : state;
}

function metricText(metric: JsonObject, current: JsonObject | undefined): string {
  const type = stringAt(metric, 'type');
  const key = `${type.slice(0, 1).toLowerCase()}${type.slice(1)}`;
  const target = objectAt(metric, key, 'target');
  const field = Object.keys(target).find((each) => each !== 'type') ?? 'value';
  const now = valueAt(current, key, 'current', field);
  const name = field === 'averageUtilization' ? `${stringAt(metric, key, 'name')}: ` : '';
  const unit = name === '' ? '' : '%';
  const shown = now === undefined ? '<unknown>' : `${String(now)}${unit}`;
  return `${name}${shown}/${String(target[field])}${unit}${field === 'averageValue' ? ' (avg)' : ''}`;
}

function autoscalerTargets(object: ApiObject): string {
  const current = objectsAt(object, 'status', 'currentMetrics');
  const targets = objectsAt(object, 'spec', 'metrics').map((metric, index) =>
    metricText(metric, current[index]),
  );
  return orNone(targets.join(', '));
}

function eventObject(object: ApiObject): string {
  const about = isObject(object.involvedObject) ? object.involvedObject : objectAt(object, 'regarding');
  return `${stringAt(about, 'kind').toLowerCase()}/${stringAt(about, 'name')}`;
}

function named(...path: string[]): Column['cell'] {
  return (object) => `${stringAt(object, ...path, 'kind')}/${stringAt(object, ...path, 'name')}`;
}

const dataCount = (object: ApiObject): number =>
  Object.keys({ ...objectAt(object, 'data'), ...objectAt(object, 'binaryData') }).length;

const INGRESS_ADDRESSES = '.status.loadBalancer.ingress[*].ip';

/** The columns between name and age. If more columns follow the age, it is among them. */
const COLUMNS: Readonly<Record<string, Column[]>> = {
  pods: podColumns(),
  configmaps: [column('Data', dataCount, { description: DATA_TEXT })],
  secrets: [
    column('Type', at('.type'), { description: SECRET_TYPE_TEXT }),
    column('Data', dataCount, { description: SECRET_DATA_TEXT }),
  ],
  namespaces: [column('Status', at('.status.phase'))],
  serviceaccounts: [column('Secrets', (object) => arrayAt(object, 'secrets').length)],
  nodes: [
    column('Status', nodeStatus),
    column('Roles', () => '<none>'),
    AGE_COLUMN,
    column('Version', at('.status.nodeInfo.kubeletVersion')),
  ],
  services: [
    column('Type', at('.spec.type')),
    column('Cluster-IP', at('.spec.clusterIP', '<none>')),
    column('External-IP', (object) => {
      const none = valueAt(object, 'spec', 'type') === 'LoadBalancer' ? '<pending>' : '<none>';
      return textAt(object, INGRESS_ADDRESSES, none);
    }),
    column('Port(s)', (object) => orNone(objectsAt(object, 'spec', 'ports').map(servicePort).join(','))),
    AGE_COLUMN,
    column('Selector', labels('spec', 'selector'), { wide: true }),
  ],
  persistentvolumeclaims: [
    column('Status', at('.status.phase')),
    column('Volume', at('.spec.volumeName')),
    column('Capacity', at('.status.capacity.storage')),
    column('Access Modes', at('.spec.accessModes[*]')),
    column('StorageClass', at('.spec.storageClassName')),
  ],
  'apps/deployments': [
    column(
      'Ready',
      (object) => `${textAt(object, '.status.readyReplicas', '0')}/${textAt(object, '.spec.replicas', '0')}`,
    ),
    count('Up-to-date', '.status.updatedReplicas'),
    count('Available', '.status.availableReplicas'),
    AGE_COLUMN,
    ...CONTAINERS,
  ],
  'apps/replicasets': [
    count('Desired', '.spec.replicas'),
    count('Current', '.status.replicas'),
    count('Ready', '.status.readyReplicas'),
    AGE_COLUMN,
    ...CONTAINERS,
  ],
  'autoscaling/horizontalpodautoscalers': [
    column('Reference', named('spec', 'scaleTargetRef')),
    column('Targets', autoscalerTargets),
    column('MinPods', at('.spec.minReplicas', '<unset>')),
    count('MaxPods', '.spec.maxReplicas'),
    count('Replicas', '.status.currentReplicas'),
  ],
  'policy/poddisruptionbudgets': [
    column('Min Available', at('.spec.minAvailable', 'N/A')),
    column('Max Unavailable', at('.spec.maxUnavailable', 'N/A')),
    count('Allowed Disruptions', '.status.disruptionsAllowed'),
  ],
  'networking.k8s.io/networkpolicies': [column('Pod-Selector', labels('spec', 'podSelector', 'matchLabels'))],
  'networking.k8s.io/ingresses': [
    column('Class', at('.spec.ingressClassName', '<none>')),
    column('Hosts', at('.spec.rules[*].host', '*')),
    column('Address', at(INGRESS_ADDRESSES)),
    column('Ports', (object) => (arrayAt(object, 'spec', 'tls').length > 0 ? '80, 443' : '80')),
  ],
  'coordination.k8s.io/leases': [column('Holder', at('.spec.holderIdentity'), { description: HOLDER_TEXT })],
  'discovery.k8s.io/endpointslices': [
    column('AddressType', at('.addressType')),
    column('Ports', at('.ports[*].port', '<unset>')),
    column('Endpoints', at('.endpoints[*].addresses[*]', '<unset>')),
  ],
  'rbac.authorization.k8s.io/rolebindings': [column('Role', named('roleRef'))],
  'rbac.authorization.k8s.io/clusterrolebindings': [column('Role', named('roleRef'))],
  'apiregistration.k8s.io/apiservices': [
    column('Service', (object) => {
      const { namespace, name } = objectAt(object, 'spec', 'service');
      return name === undefined ? 'Local' : `${String(namespace)}/${String(name)}`;
    }),
    column('Available', at('.status.conditions[?(@.type=="Available")].status', 'Unknown')),
  ],
};

/** Columns of a built-in kind; undefined if kubectl shows only its name and age. */
export function builtinColumns(collection: string): Column[] | undefined {
  if (collection === 'events') return EVENTS;
  const columns = COLUMNS[collection];
  return columns && [NAME_COLUMN, ...columns, ...(columns.includes(AGE_COLUMN) ? [] : [AGE_COLUMN])];
}

/** Events start with when they were last seen instead of a name. */
const EVENTS: Column[] = [
  column('Last Seen', (object, now) =>
    age(
      stringAt(object, 'lastTimestamp') ||
        stringAt(object, 'deprecatedLastTimestamp') ||
        stringAt(object, 'eventTime') ||
        object.metadata.creationTimestamp,
      now,
    ),
  ),
  column('Type', at('.type')),
  column('Reason', at('.reason')),
  column('Object', eventObject),
  column('Message', (object) => (stringAt(object, 'message') || stringAt(object, 'note')).trim()),
];
