import { randomUUID } from 'node:crypto';
import { type ApiObject, timestamp } from '../api-object.ts';
import type { JsonObject } from '../json.ts';
import type { BuiltinApi } from '../schema/builtin-schemas.ts';
import type { Store } from '../store.ts';
import { words } from '../words.ts';

const RBAC = 'rbac.authorization.k8s.io';
const READ = ['get', 'list', 'watch'];
const WRITE = ['create', 'delete', 'deletecollection', 'patch', 'update'];

/** API groups that `admin`, `edit` and `view` cover; core is ''. */
const GROUPS = new Set([
  '',
  ...words(`,
   ,
   ,
   ,
   ,
   ,
   ,
  `),
]);

/** Rules with these verbs for namespaced resources. `view` has neither Secrets nor access into pods. */
function rules(api: BuiltinApi, verbs: string[], secrets: boolean): JsonObject[] {
  return Object.entries(api.resources).flatMap(([path, listed]) => {
    const group = path.startsWith('api/') ? '' : (path.split('/')[1] ?? '');
    const open = listed.filter(({ name, verbs }) => secrets || (name !== 'secrets' && verbs.includes('get')));
    const resources = open.filter(({ namespaced }) => namespaced).map(({ name }) => name);
    return GROUPS.has(group) ? [{ verbs, apiGroups: [group], resources }] : [];
  });
}

const ROLES: JsonObject = {
  verbs: [...READ, ...WRITE],
  apiGroups: [RBAC],
  resources: ['roles', 'rolebindings'],
};
const LOCAL_REVIEW: JsonObject = {
  verbs: ['create'],
  apiGroups: ['authorization.k8s.io'],
  resources: ['localsubjectaccessreviews'],
};
const PUBLIC = ['/healthz', '/livez', '/readyz', '/version', '/version/'];
const DISCOVERY = ['/api', '/api/*', '/apis', '/apis/*', '/openapi', '/openapi/*', ...PUBLIC];

const clusterRoles = (api: BuiltinApi): Readonly<Record<string, JsonObject[]>> => ({
  'cluster-admin': [
    { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
    { verbs: ['*'], nonResourceURLs: ['*'] },
  ],
  admin: [...rules(api, [...READ, ...WRITE], true), ROLES, LOCAL_REVIEW],
  edit: rules(api, [...READ, ...WRITE], true),
  view: rules(api, READ, false),
  'system:basic-user': [
    {
      verbs: ['create'],
      apiGroups: ['authorization.k8s.io'],
      resources: ['selfsubjectaccessreviews', 'selfsubjectrulesreviews'],
    },
    { verbs: ['create'], apiGroups: ['authentication.k8s.io'], resources: ['selfsubjectreviews'] },
  ],
  'system:discovery': [{ verbs: ['get'], nonResourceURLs: DISCOVERY }],
  'system:public-info-viewer': [{ verbs: ['get'], nonResourceURLs: PUBLIC }],
  'system:auth-delegator': [
    { verbs: ['create'], apiGroups: ['authentication.k8s.io'], resources: ['tokenreviews'] },
    { verbs: ['create'], apiGroups: ['authorization.k8s.io'], resources: ['subjectaccessreviews'] },
  ],
});

const CLUSTER_BINDINGS: Readonly<Record<string, string[]>> = {
  'cluster-admin': ['system:masters'],
  'system:basic-user': ['system:authenticated'],
  'system:discovery': ['system:authenticated'],
  'system:public-info-viewer': ['system:authenticated', 'system:unauthenticated'],
};

/** Roles that collect the rules of ClusterRoles with a label, so that custom resources can join them. */
const AGGREGATED = ['admin', 'edit', 'view'];

/** Lets the backends of aggregated APIs read how to check requests. */
const READER = 'extension-apiserver-authentication-reader';

/** Writes the roles that every cluster has (a short form of bootstrappolicy of Kubernetes). */
export function bootstrapRbac(store: Store, api: BuiltinApi, now: Date): void {
  const make = (kind: string, name: string, rest: JsonObject, namespace = ''): ApiObject => ({
    apiVersion: `${RBAC}/v1`,
    kind,
    metadata: {
      name,
      ...(namespace === '' ? {} : { namespace }),
      uid: randomUUID(),
      creationTimestamp: timestamp(now),
      labels: { 'kubernetes.io/bootstrapping': 'rbac-defaults' },
      annotations: { 'rbac.authorization.kubernetes.io/autoupdate': 'true' },
    },
    ...rest,
  });
  for (const [name, each] of Object.entries(clusterRoles(api))) {
    const matchLabels = { [`${RBAC}/aggregate-to-${name}`]: 'true' };
    const rule = AGGREGATED.includes(name)
      ? { aggregationRule: { clusterRoleSelectors: [{ matchLabels }] } }
      : {};
    store.put(`${RBAC}/clusterroles`, make('ClusterRole', name, { rules: each, ...rule }));
  }
  for (const [name, groups] of Object.entries(CLUSTER_BINDINGS)) {
    const subjects = groups.map((group) => ({ kind: 'Group', apiGroup: RBAC, name: group }));
    const roleRef = { apiGroup: RBAC, kind: 'ClusterRole', name };
    store.put(`${RBAC}/clusterrolebindings`, make('ClusterRoleBinding', name, { roleRef, subjects }));
  }
  const config = {
    verbs: READ,
    apiGroups: [''],
    resources: ['configmaps'],
    resourceNames: ['extension-apiserver-authentication'],
  };
  store.put(`${RBAC}/roles`, make('Role', READER, { rules: [config] }, 'kube-system'));
}
