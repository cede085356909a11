/**
 * The rules of the operator's roles, from the permissions of its parts (`*_PERMISSIONS`). A test runs the operator with
 * exactly these (test/integration/install).
 */
import { INFERENCE_MODELS, KINDS } from '../../operator/api/types.ts';
import { PERMISSIONS } from '../../operator/controllers/permissions.ts';
import { type Permission, READ } from '../../operator/kube/permission.ts';
import { METRICS_API_PERMISSIONS } from '../../operator/metrics-api/setup.ts';

/** A rule of a Role or ClusterRole. */
export interface PolicyRule {
  apiGroups: string[];
  resources: string[];
  resourceNames?: string[];
  verbs: string[];
}

/** What a team may do with its models: the roles `view` and `edit` of Kubernetes get these. */
const VIEWER_PERMISSIONS: readonly Permission[] = KINDS.map((type) => ({
  type,
  verbs: ['get', ...READ],
}));
const EDITOR_PERMISSIONS: readonly Permission[] = [
  { type: INFERENCE_MODELS, verbs: ['create', 'update', 'patch', 'delete'] },
  { type: INFERENCE_MODELS, subresource: 'scale', verbs: ['get', 'update', 'patch'] },
];

/** Rules by role. Rules that only the metrics API needs are separate, so that they can be left out together with it. */
export function rbacRules(): Record<string, PolicyRule[]> {
  const others = PERMISSIONS.filter((permission) => !METRICS_API_PERMISSIONS.includes(permission));
  const own = ({ ownNamespace }: Permission) => ownNamespace === true;
  const ofCluster = (permission: Permission) => !own(permission);
  return {
    cluster: merged(others.filter(ofCluster)),
    clusterMetricsApi: merged(METRICS_API_PERMISSIONS.filter(ofCluster)),
    ownNamespace: merged(others.filter(own)),
    ownNamespaceMetricsApi: merged(METRICS_API_PERMISSIONS.filter(own)),
    viewer: VIEWER_PERMISSIONS.map(rule),
    editor: EDITOR_PERMISSIONS.map(rule),
  };
}

const VERBS = ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete'];

/** One rule for each resource: several parts may use the same. */
function merged(permissions: readonly Permission[]): PolicyRule[] {
  const rules = new Map<string, PolicyRule>();
  for (const permission of permissions) {
    const next = rule(permission);
    const id = JSON.stringify([next.apiGroups, next.resources, next.resourceNames]);
    const verbs = new Set([...(rules.get(id)?.verbs ?? []), ...next.verbs]);
    rules.set(id, { ...next, verbs: VERBS.filter((verb) => verbs.has(verb)) });
  }
  return [...rules.values()];
}

function rule({ type, subresource, verbs, names }: Permission): PolicyRule {
  return {
    apiGroups: [type.group],
    resources: [subresource === undefined ? type.plural : `${type.plural}/${subresource}`],
    ...(names && { resourceNames: [...names] }),
    verbs: [...verbs],
  };
}
