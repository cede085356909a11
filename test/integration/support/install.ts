/** Installs manifests/install.yaml, as an administrator would with kubectl. */
import { readFileSync } from 'node:fs';
import { parseAllDocuments } from 'yaml';
import type { KubeClient } from '../../../operator/kube/client.ts';
import { sleep } from '../../../operator/kube/clock.ts';
import type { KubeObject, ResourceType } from '../../../operator/kube/object.ts';
import {
  CUSTOM_RESOURCE_DEFINITIONS,
  DEPLOYMENTS,
  NAMESPACES,
  POD_DISRUPTION_BUDGETS,
  SERVICE_ACCOUNTS,
} from '../../../operator/kube/resource-types.ts';

function rbac(kind: string, plural: string, namespaced: boolean): ResourceType {
  return { group: 'rbac.authorization.k8s.io', version: 'v1', kind, plural, namespaced };
}

const TYPES = new Map(
  [
    CUSTOM_RESOURCE_DEFINITIONS,
    DEPLOYMENTS,
    NAMESPACES,
    POD_DISRUPTION_BUDGETS,
    SERVICE_ACCOUNTS,
    rbac('ClusterRole', 'clusterroles', false),
    rbac('ClusterRoleBinding', 'clusterrolebindings', false),
    rbac('Role', 'roles', true),
    rbac('RoleBinding', 'rolebindings', true),
  ].map((type) => [type.kind, type]),
);

interface Definition extends KubeObject {
  status?: { conditions?: { type: string; status: string }[] };
}

/** The objects of manifests/install.yaml. */
export function installObjects(): KubeObject[] {
  const text = readFileSync(new URL('../../../manifests/install.yaml', import.meta.url), 'utf8');
  return parseAllDocuments(text).map((document) => document.toJS() as KubeObject);
}

/** Applies all of them but for the kinds left out, and waits until the custom resources are served. */
export async function install(client: KubeClient, { without = [] as string[] } = {}): Promise<void> {
  for (const object of installObjects()) {
    if (without.includes(object.kind)) continue;
    const type = TYPES.get(object.kind);
    if (!type)
      throw new Error(`manifests/install.yaml has a ${object.kind}, which this helper does not know`);
    await client.apply(type, object);
    while (type === CUSTOM_RESOURCE_DEFINITIONS && !(await isEstablished(client, object))) await sleep(25);
  }
}

async function isEstablished(client: KubeClient, { metadata }: KubeObject): Promise<boolean> {
  const live = await client.get<Definition>(CUSTOM_RESOURCE_DEFINITIONS, metadata);
  return (live.status?.conditions ?? []).some(
    ({ type, status }) => type === 'Established' && status === 'True',
  );
}
