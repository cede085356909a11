/** Installs manifests/install.yaml, as an administrator would with kubectl. */
import type { CustomResourceDefinition } from '../../../operator/api/crd.ts';
import type { KubeClient } from '../../../operator/kube/client.ts';
import type { KubeObject, ResourceType } from '../../../operator/kube/object.ts';
import {
  DEPLOYMENTS,
  NAMESPACES,
  NETWORK_POLICIES,
  POD_DISRUPTION_BUDGETS,
  SERVICE_ACCOUNTS,
  SERVICES,
} from '../../../operator/kube/resource-types.ts';
import { installObjects, isShared } from '../../support/install-objects.ts';
import { CUSTOM_RESOURCE_DEFINITIONS, untilServed } from './definitions.ts';

function rbac(kind: string, plural: string, namespaced: boolean): ResourceType {
  return { group: 'rbac.authorization.k8s.io', version: 'v1', kind, plural, namespaced };
}

export const ROLE_BINDINGS = rbac('RoleBinding', 'rolebindings', true);

const TYPES = new Map(
  [
    CUSTOM_RESOURCE_DEFINITIONS,
    DEPLOYMENTS,
    NAMESPACES,
    NETWORK_POLICIES,
    POD_DISRUPTION_BUDGETS,
    SERVICE_ACCOUNTS,
    SERVICES,
    rbac('ClusterRole', 'clusterroles', false),
    rbac('ClusterRoleBinding', 'clusterrolebindings', false),
    rbac('Role', 'roles', true),
    ROLE_BINDINGS,
  ].map((type) => [type.kind, type]),
);

type Definition = KubeObject & Pick<CustomResourceDefinition, 'spec'>;

interface InstallOptions {
  /** In the place of the manifest's namespace, so that tests on a shared cluster do not meet. */
  namespace?: string;
  /** Kinds to leave out. */
  without?: string[];
}

/** Applies them, and waits until the custom resources are served. */
export async function install(
  client: KubeClient,
  { namespace, without = [] }: InstallOptions = {},
): Promise<void> {
  for (const object of installObjects(namespace)) {
    if (without.includes(object.kind)) continue;
    const type = typeOf(object);
    await client.apply(type, object);
    if (type === CUSTOM_RESOURCE_DEFINITIONS) await untilServed(client, object as Definition);
  }
}

/** Removes what `install` made but for the custom resource definitions, which other tests may use. */
export async function uninstall(client: KubeClient, options: InstallOptions = {}): Promise<void> {
  for (const object of installObjects(options.namespace)) {
    if (isShared(object) || object.kind === 'Namespace') await client.delete(typeOf(object), object.metadata);
  }
}

function typeOf({ kind }: KubeObject): ResourceType {
  const type = TYPES.get(kind);
  if (!type) throw new Error(`manifests/install.yaml has a ${kind}, which this helper does not know`);
  return type;
}
