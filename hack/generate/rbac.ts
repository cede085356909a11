/**
 * The rules of the operator's roles, from what its parts say that they do (`*_PERMISSIONS`). A test runs the operator with
 * exactly these (test/integration/install).
 */
import { INFERENCE_MODELS, INFERENCE_POOLS } from '../../operator/api/types.ts';
import { PERMISSIONS } from '../../operator/controllers/permissions.ts';
import { type Permission, READ } from '../../operator/kube/permission.ts';

/** A rule of a Role or ClusterRole. */
export interface PolicyRule {
  apiGroups: string[];
  resources: string[];
  resourceNames?: string[];
  verbs: string[];
}

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
    cluster: merged(PERMISSIONS.filter(({ ownNamespace }) => !ownNamespace)),
    ownNamespace: merged(PERMISSIONS.filter(({ ownNamespace }) => ownNamespace)),
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
