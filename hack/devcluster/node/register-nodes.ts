import type { KubeClient } from '../../../operator/kube/client.ts';
import { isKubeError } from '../../../operator/kube/errors.ts';
import { NODES } from '../../../operator/kube/resource-types.ts';
import type { NodeObject } from '../kinds.ts';
import { type NodeSpec, nodeObject } from './node-spec.ts';
import { apiTime } from './timing.ts';

/** Creates the Node objects, or brings the status of those that exist up to date. Throws KubeError. */
export async function registerNodes(
  client: KubeClient,
  nodes: readonly NodeSpec[],
  hostIp: string,
  signal: AbortSignal,
): Promise<void> {
  const now = apiTime(new Date());
  const register = async (spec: NodeSpec): Promise<void> => {
    const node = nodeObject(spec, hostIp, now);
    try {
      await client.create<NodeObject>(NODES, node, { signal });
    } catch (error) {
      if (!isKubeError(error, 'AlreadyExists')) throw error;
    }
    // A server may drop the status of an object that is created.
    const merge = { status: node.status };
    await client.patch(NODES, { name: spec.name }, { merge }, { subresource: 'status', signal });
  };
  await Promise.all(nodes.map(register));
}
