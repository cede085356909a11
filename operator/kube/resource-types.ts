/** The built-in resource types that the operator uses. */
import type { ResourceType } from './object.ts';

function core(kind: string, plural: string, namespaced = true): ResourceType {
  return { group: '', version: 'v1', kind, plural, namespaced };
}

function grouped(
  group: string,
  kind: string,
  plural: string,
  namespaced = true,
  version = 'v1',
): ResourceType {
  return { group, version, kind, plural, namespaced };
}

export const CONFIG_MAPS = core('ConfigMap', 'configmaps');
/** Deprecated, but API servers before 1.37 use it to check whether an aggregated API is available. */
export const ENDPOINTS = core('Endpoints', 'endpoints');
export const NAMESPACES = core('Namespace', 'namespaces', false);
export const NODES = core('Node', 'nodes', false);
export const PERSISTENT_VOLUME_CLAIMS = core('PersistentVolumeClaim', 'persistentvolumeclaims');
export const PODS = core('Pod', 'pods');
export const SECRETS = core('Secret', 'secrets');
export const SERVICE_ACCOUNTS = core('ServiceAccount', 'serviceaccounts');
export const SERVICES = core('Service', 'services');

export const API_SERVICES = grouped('apiregistration.k8s.io', 'APIService', 'apiservices', false);
export const CLUSTER_ROLES = grouped('rbac.authorization.k8s.io', 'ClusterRole', 'clusterroles', false);
export const DEPLOYMENTS = grouped('apps', 'Deployment', 'deployments');
export const ENDPOINT_SLICES = grouped('discovery.k8s.io', 'EndpointSlice', 'endpointslices');
export const EVENTS = grouped('events.k8s.io', 'Event', 'events');
export const HORIZONTAL_POD_AUTOSCALERS = grouped(
  'autoscaling',
  'HorizontalPodAutoscaler',
  'horizontalpodautoscalers',
  true,
  'v2',
);
export const INGRESSES = grouped('networking.k8s.io', 'Ingress', 'ingresses');
export const LEASES = grouped('coordination.k8s.io', 'Lease', 'leases');
export const NETWORK_POLICIES = grouped('networking.k8s.io', 'NetworkPolicy', 'networkpolicies');
export const POD_DISRUPTION_BUDGETS = grouped('policy', 'PodDisruptionBudget', 'poddisruptionbudgets');
export const REPLICA_SETS = grouped('apps', 'ReplicaSet', 'replicasets');

/** `v1` for the core group, else `group/version`. */
export function apiVersionOf(type: ResourceType): string {
  return type.group ? `${type.group}/${type.version}` : type.version;
}

/** The name that kubectl and RBAC use: `pods`, `deployments.apps`. */
export function typeName(type: ResourceType): string {
  return type.group ? `${type.plural}.${type.group}` : type.plural;
}
