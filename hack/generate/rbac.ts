/**
 * What the operator may do, as one table by resource. The rules of its roles are made from it. Each verb is there because of
 * code that uses it, and a test runs the operator with exactly these permissions (test/integration/install).
 */
import { INFERENCE_MODELS, INFERENCE_POOLS } from '../../operator/api/types.ts';
import type { ResourceType } from '../../operator/kube/object.ts';
import {
  CONFIG_MAPS,
  DEPLOYMENTS,
  ENDPOINT_SLICES,
  EVENTS,
  INGRESSES,
  LEASES,
  NAMESPACES,
  NETWORK_POLICIES,
  PERSISTENT_VOLUME_CLAIMS,
  POD_DISRUPTION_BUDGETS,
  PODS,
  SECRETS,
  SERVICE_ACCOUNTS,
  SERVICES,
} from '../../operator/kube/resource-types.ts';

type Verb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete';

interface Permission {
  type: ResourceType;
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
  { type: PODS, verbs: READ },
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
  { type: EVENTS, verbs: ['create'] },
];

/** In the operator's own namespace. */
const OWN_NAMESPACE_PERMISSIONS: readonly Permission[] = [
  { type: LEASES, verbs: ['create'] },
  { type: LEASES, verbs: ['get', 'update'], names: ['vllm-operator'] },
  { type: SECRETS, verbs: ['create'] },
  { type: SECRETS, verbs: ['get', 'patch'], names: ['vllm-operator-root'] },
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
