import { Controller } from '../../../operator/kube/controller.ts';
import type { KubeObject } from '../../../operator/kube/object.ts';
import { PERSISTENT_VOLUME_CLAIMS } from '../../../operator/kube/resource-types.ts';
import type { ControllerContext } from './controller-context.ts';

/** core/v1 PersistentVolumeClaim. */
export interface Claim extends KubeObject {
  spec: { accessModes?: string[]; resources?: { requests?: Record<string, string> } };
  status?: { phase?: string; accessModes?: string[]; capacity?: Record<string, string> };
}

/** Says of every claim that it is bound: the node agent gives each a directory. */
export function claimBinder({ stores, client, log }: ControllerContext): Controller {
  const controller = new Controller({
    name: 'persistentvolume-binder',
    log,
    reconcile: async (key, { signal }) => {
      const claim = stores.claims.get(key);
      if (!claim || claim.status?.phase === 'Bound') return;
      const { name, namespace = '' } = claim.metadata;
      const { accessModes = [], resources } = claim.spec;
      const merge = { status: { phase: 'Bound', accessModes, capacity: resources?.requests ?? {} } };
      await client.patch(
        PERSISTENT_VOLUME_CLAIMS,
        { namespace, name },
        { merge },
        { subresource: 'status', signal },
      );
    },
  });
  controller.watch(stores.claims);
  return controller;
}
