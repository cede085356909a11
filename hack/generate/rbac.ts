/**
 * What the operator may do, as one table by resource. The rules of its roles are made from it. Each verb is there because of
 * code that uses it, and a test runs the operator with exactly these permissions (test/integration/install).
 */
import { INFERENCE_MODELS, INFERENCE_POOLS } from '../../operator/api/types.ts';
import type { ResourceType } from '../../operator/kube/object.ts';
import {
  API_SERVICES,
  CLUSTER_ROLES,
  CONFIG_MAPS,
  DEPLOYMENTS,
  ENDPOINT_SLICES,
  ENDPOINTS,
  EVENTS,
  HORIZONTAL_POD_AUTOSCALERS,
  INGRESSES,
  LEASES,
  NAMESPACES,
  NETWORK_POLICIES,
  NODES,
  PERSISTENT_VOLUME_CLAIMS,
  POD_DISRUPTION_BUDGETS,
  PODS,
  REPLICA_SETS,
  SECRETS,
  SERVICE_ACCOUNTS,
  SERVICES,
} from '../../operator/kube/resource-types.ts';
import { API_SERVICE_NAME } from '../../operator/metrics-api/api-service.ts';
import { METRICS_SERVICE_NAME } from '../../operator/metrics-api/leader-endpoint.ts';

type Verb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete';

interface Permission {
  type: Pick<ResourceType, 'group' | 'plural'>;
  subresource?: string;
  verbs: readonly Verb[];
  /** The only objects that it holds for. `create` cannot be limited by name. */
  names?: readonly string[];
}

/** A rule of a Role or ClusterRole. */
export interface PolicyRule {
  apiGroups: string[];
  resources: string[];
  resourceNames?: string[];
  verbs: string[];
}

/** Of the ClusterRole, the Lease and everything else that has one instance. */
export const OPERATOR_NAME = 'vllm-operator';

/** A reflector lists, then watches. */
const READ = ['list', 'watch'] as const;

/** The applier also looks whether a name is taken, applies (create where there is nothing, patch else), and prunes. */
const OWN = ['get', ...READ, 'create', 'patch', 'delete'] as const;

/** In all namespaces: pools and models may be anywhere, and their children are beside them. */
const CLUSTER_PERMISSIONS: readonly Permission[] = [
  // The finalizer of a pool is written with a merge patch.
  { type: INFERENCE_POOLS, verbs: [...READ, 'patch'] },
  { type: INFERENCE_MODELS, verbs: READ },
  ...[INFERENCE_POOLS, INFERENCE_MODELS].flatMap((type): Permission[] => [
    { type, subresource: 'status', verbs: ['patch'] },
    // Needed for blockOwnerDeletion of children, where OwnerReferencesPermissionEnforcement is on.
    { type, subresource: 'finalizers', verbs: ['update'] },
  ]),
  // Metadata only, for allowedNamespaces.
  { type: NAMESPACES, verbs: ['get', ...READ] },
  // Engines on nodes that go: taken out of their ReplicaSet, so that it makes another first, and deleted.
  { type: PODS, verbs: [...READ, 'patch', 'delete'] },
  // Metadata only: whether the pod that says it is a router is one of the pool's Deployment.
  { type: REPLICA_SETS, verbs: READ },
  // What announces that a node goes. Read only for pools of spot nodes, and not needed otherwise.
  { type: NODES, verbs: READ },
  { type: ENDPOINT_SLICES, verbs: READ },
  { type: DEPLOYMENTS, verbs: OWN },
  { type: DEPLOYMENTS, subresource: 'scale', verbs: ['patch'] },
  { type: SERVICES, verbs: OWN },
  { type: SERVICE_ACCOUNTS, verbs: OWN },
  // Route snapshots and router files are children; API keys are read.
  { type: CONFIG_MAPS, verbs: OWN },
  { type: PERSISTENT_VOLUME_CLAIMS, verbs: OWN },
  { type: POD_DISRUPTION_BUDGETS, verbs: OWN },
  { type: NETWORK_POLICIES, verbs: OWN },
  { type: INGRESSES, verbs: OWN },
  { type: HORIZONTAL_POD_AUTOSCALERS, verbs: OWN },
  // Read for a pod whose volumes are not mounted: the kubelet says why in its events only.
  { type: EVENTS, verbs: ['create', 'list'] },
  // The external metrics API: its registration, which goes with the operator's ClusterRole, and who may read it.
  { type: API_SERVICES, verbs: ['create'] },
  { type: API_SERVICES, verbs: ['get', 'patch'], names: [API_SERVICE_NAME] },
  { type: CLUSTER_ROLES, verbs: ['get'], names: [OPERATOR_NAME] },
  { type: { group: 'authentication.k8s.io', plural: 'tokenreviews' }, verbs: ['create'] },
  { type: { group: 'authorization.k8s.io', plural: 'subjectaccessreviews' }, verbs: ['create'] },
];

/** In the operator's own namespace. */
const OWN_NAMESPACE_PERMISSIONS: readonly Permission[] = [
  { type: LEASES, verbs: ['create'] },
  { type: LEASES, verbs: ['get', 'update'], names: [OPERATOR_NAME] },
  { type: SECRETS, verbs: ['create'] },
  { type: SECRETS, verbs: ['get', 'patch'], names: ['vllm-operator-root'] },
  // The endpoint of the external metrics API; its Service is covered above.
  { type: ENDPOINTS, verbs: ['create'] },
  { type: ENDPOINTS, verbs: ['get', 'patch'], names: [METRICS_SERVICE_NAME] },
  { type: ENDPOINT_SLICES, verbs: ['create'] },
  {
    type: ENDPOINT_SLICES,
    verbs: ['get', 'patch'],
    names: ['ipv4', 'ipv6'].map((family) => `${METRICS_SERVICE_NAME}-${family}`),
  },
];

/** What a team may do with its models: the roles `view` and `edit` of Kubernetes get these. */
const VIEWER_PERMISSIONS: readonly Permission[] = [INFERENCE_POOLS, INFERENCE_MODELS].map((type) => ({
  type,
  verbs: ['get', ...READ],
}));
const EDITOR_PERMISSIONS: readonly Permission[] = [
  { type: INFERENCE_MODELS, verbs: ['create', 'update', 'patch', 'delete'] },
  { type: INFERENCE_MODELS, subresource: 'scale', verbs: ['get', 'update', 'patch'] },
];

/** Rules by role. */
export function rbacRules(): Record<'cluster' | 'ownNamespace' | 'viewer' | 'editor', PolicyRule[]> {
  return {
    cluster: CLUSTER_PERMISSIONS.map(rule),
    ownNamespace: OWN_NAMESPACE_PERMISSIONS.map(rule),
    viewer: VIEWER_PERMISSIONS.map(rule),
    editor: EDITOR_PERMISSIONS.map(rule),
  };
}

function rule({ type, subresource, verbs, names }: Permission): PolicyRule {
  return {
    apiGroups: [type.group],
    resources: [subresource === undefined ? type.plural : `${type.plural}/${subresource}`],
    ...(names && { resourceNames: [...names] }),
    verbs: [...verbs],
  };
}
