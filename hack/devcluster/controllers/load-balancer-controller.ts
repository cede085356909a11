import { Controller } from '../../../operator/kube/controller.ts';
import { SERVICES } from '../../../operator/kube/resource-types.ts';
import type { ControllerContext } from './controller-context.ts';

/** Gives Services of type LoadBalancer their ClusterIP as outside address: on this machine it can be reached. */
export function loadBalancerController({ stores, client, log }: ControllerContext): Controller {
  const controller = new Controller({
    name: 'service-lb',
    log,
    reconcile: async (key, { signal }) => {
      const service = stores.services.get(key);
      const ip = service?.spec.clusterIP;
      if (service?.spec.type !== 'LoadBalancer' || !ip || ip === 'None') return;
      if (service.status?.loadBalancer?.ingress?.some((ingress) => ingress.ip === ip)) return;
      const { name, namespace = '' } = service.metadata;
      const merge = { status: { loadBalancer: { ingress: [{ ip }] } } };
      await client.patch(SERVICES, { namespace, name }, { merge }, { subresource: 'status', signal });
    },
  });
  controller.watch(stores.services);
  return controller;
}
