/**
 * Around a run on an existing cluster: makes sure that nobody else runs the operator there, and removes the cluster-wide
 * objects that the run brought. Tests themselves keep to namespaces of their own, and run one file at a time, because an
 * operator looks at all namespaces.
 */
import { KubeClient } from '../../../operator/kube/client.ts';
import { isKubeError } from '../../../operator/kube/errors.ts';
import { loadConnection } from '../../../operator/kube/load-connection.ts';
import type { KubeObject, ResourceType } from '../../../operator/kube/object.ts';
import { CLUSTER_ROLES, DEPLOYMENTS } from '../../../operator/kube/resource-types.ts';
import { Transport } from '../../../operator/kube/transport.ts';
import { installObjects } from '../../support/install-objects.ts';
import { WIDGETS_NAME } from '../kube/support/widgets.ts';
import { CUSTOM_RESOURCE_DEFINITIONS } from './definitions.ts';
import { whichApiServer } from './which-api-server.ts';

interface ClusterObject {
  type: ResourceType;
  name: string;
}

/** Vitest calls it before the first test, and what it returns after the last. */
export async function setup(): Promise<(() => Promise<void>) | undefined> {
  if (whichApiServer() !== 'existing') return undefined;
  const transport = new Transport({
    connection: await loadConnection({ kubeconfig: process.env.KUBECONFIG ?? '' }),
  });
  const client = new KubeClient(transport);
  await refuseRunningOperator(client);
  const brought: ClusterObject[] = [];
  for (const object of clusterObjects()) if (!(await exists(client, object))) brought.push(object);
  return async () => {
    for (const { type, name } of brought) {
      await client.delete(type, { name }).catch((error: unknown) => {
        if (!isKubeError(error, 'NotFound')) throw error;
      });
    }
    await transport.close();
  };
}

/** What tests install for the whole cluster, and leave for the next file. */
function clusterObjects(): ClusterObject[] {
  const types = [CLUSTER_ROLES, CUSTOM_RESOURCE_DEFINITIONS];
  const installed = installObjects().flatMap(({ kind, metadata: { name } }) =>
    types.filter((type) => type.kind === kind).map((type) => ({ type, name })),
  );
  return [...installed, { type: CUSTOM_RESOURCE_DEFINITIONS, name: WIDGETS_NAME }];
}

async function refuseRunningOperator(client: KubeClient): Promise<void> {
  const labelSelector = 'app.kubernetes.io/name=vllm-operator';
  const { items } = await client.list<KubeObject & { status?: { replicas?: number } }>(DEPLOYMENTS, {
    labelSelector,
  });
  const running = items.find(({ status }) => (status?.replicas ?? 0) > 0);
  if (!running) return;
  const { namespace, name } = running.metadata;
  throw new Error(
    `the cluster of KUBECONFIG runs the operator already (Deployment ${namespace}/${name}), which would act on what the tests make; scale it to 0 or use another cluster`,
  );
}

async function exists(client: KubeClient, { type, name }: ClusterObject): Promise<boolean> {
  try {
    await client.get(type, { name });
    return true;
  } catch (error) {
    if (isKubeError(error, 'NotFound')) return false;
    throw error;
  }
}
