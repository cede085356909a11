import { Controller } from '../../../operator/kube/controller.ts';
import { PERSISTENT_VOLUME_CLAIMS } from '../../../operator/kube/resource-types.ts';
import type { ControllerContext } from './controller-context.ts';

/** Marks every claim as Bound: the node agent provides a directory for each. */
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
