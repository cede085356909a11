import { randomUUID } from 'node:crypto';
import { type ApiObject, timestamp } from '../api-object.ts';
import type { JsonObject } from '../json.ts';
import type { Store } from '../store.ts';

const RBAC = 'rbac.authorization.k8s.io';
const READ = ['get', 'list', 'watch'];
const WRITE = ['create', 'delete', 'deletecollection', 'patch', 'update'];

const WORKLOADS: readonly (readonly [string, readonly string[]])[] = [
  [
    '',
    [
      'configmaps',
      'endpoints',
      'events',
      'persistentvolumeclaims',
      'pods',
      'replicationcontrollers',
      'serviceaccounts',
      'services',
      'pods/log',
      'pods/status',
      'services/status',
      'resourcequotas',
      'limitranges',
      'namespaces',
    ],
  ],
  [
    'apps',
    [
      'daemonsets',
      'deployments',
      'deployments/scale',
      'replicasets',
      'replicasets/scale',
      'statefulsets',
      'statefulsets/scale',
      'controllerrevisions',
    ],
  ],
  ['autoscaling', ['horizontalpodautoscalers']],
  ['batch', ['cronjobs', 'jobs']],
  ['policy', ['poddisruptionbudgets']],
  ['networking.k8s.io', ['ingresses', 'networkpolicies']],
  ['discovery.k8s.io', ['endpointslices']],
  ['coordination.k8s.io', ['leases']],
];

function rules(verbs: string[]): JsonObject[] {
  return WORKLOADS.map(([group, resources]) => ({ verbs, apiGroups: [group], resources: [...resources] }));
}

const SECRETS: JsonObject = {
  verbs: [...READ, ...WRITE],
  apiGroups: [''],
  resources: [
    'secrets',
    'pods/exec',
    'pods/attach',
    'pods/portforward',
    'pods/proxy',
    'services/proxy',
    'pods/eviction',
    'serviceaccounts/token',
  ],
};
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
const DISCOVERY = [
  '/api',
  '/api/*',
  '/apis',
  '/apis/*',
  '/healthz',
  '/livez',
  '/openapi',
  '/openapi/*',
  '/readyz',
  '/version',
  '/version/',
];

const CLUSTER_ROLES: Readonly<Record<string, JsonObject[]>> = {
  'cluster-admin': [
    { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
    { verbs: ['*'], nonResourceURLs: ['*'] },
  ],
  admin: [...rules([...READ, ...WRITE]), SECRETS, ROLES, LOCAL_REVIEW],
  edit: [...rules([...READ, ...WRITE]), SECRETS],
  view: rules(READ),
  'system:basic-user': [
    {
      verbs: ['create'],
      apiGroups: ['authorization.k8s.io'],
      resources: ['selfsubjectaccessreviews', 'selfsubjectrulesreviews'],
    },
    { verbs: ['create'], apiGroups: ['authentication.k8s.io'], resources: ['selfsubjectreviews'] },
  ],
  'system:discovery': [{ verbs: ['get'], nonResourceURLs: DISCOVERY }],
  'system:public-info-viewer': [
    { verbs: ['get'], nonResourceURLs: ['/healthz', '/livez', '/readyz', '/version', '/version/'] },
  ],
  'system:auth-delegator': [
    { verbs: ['create'], apiGroups: ['authentication.k8s.io'], resources: ['tokenreviews'] },
    { verbs: ['create'], apiGroups: ['authorization.k8s.io'], resources: ['subjectaccessreviews'] },
  ],
};

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
export function bootstrapRbac(store: Store, now: Date): void {
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
  for (const [name, each] of Object.entries(CLUSTER_ROLES)) {
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
