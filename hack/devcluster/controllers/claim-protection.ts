import { Controller } from '../../../operator/kube/controller.ts';
import { hasFinalizer, removeFinalizer } from '../../../operator/kube/finalizers.ts';
import { type Key, toKey } from '../../../operator/kube/key.ts';
import { PERSISTENT_VOLUME_CLAIMS } from '../../../operator/kube/resource-types.ts';
import type { Pod } from '../kinds.ts';
import type { ControllerContext } from './controller-context.ts';

const FINALIZER = 'kubernetes.io/pvc-protection';

/** Removes the finalizer of a deleted claim once no pod uses it. The API server adds it to each claim. */
export function claimProtection({ stores, client, log }: ControllerContext): Controller {
  const isUsed = (key: Key, namespace: string): boolean =>
    stores.pods.byIndex('byNamespace', namespace).some((pod) => isAlive(pod) && claimsOf(pod).includes(key));
  const controller = new Controller({
    name: 'pvc-protection-controller',
    log,
    reconcile: async (key, { signal }) => {
      const claim = stores.claims.get(key);
      if (!claim?.metadata.deletionTimestamp || !hasFinalizer(claim, FINALIZER)) return;
      if (isUsed(key, claim.metadata.namespace ?? '')) return;
      await removeFinalizer(client, PERSISTENT_VOLUME_CLAIMS, claim, FINALIZER, signal);
    },
  });
  controller.watch(stores.claims);
  controller.watch(stores.pods, { map: claimsOf });
  return controller;
}

function isAlive({ status }: Pod): boolean {
  return status?.phase !== 'Succeeded' && status?.phase !== 'Failed';
}

function claimsOf({ metadata: { namespace = '' }, spec }: Pod): Key[] {
  return (spec.volumes ?? []).flatMap(({ persistentVolumeClaim }) =>
    persistentVolumeClaim ? [toKey({ namespace, name: persistentVolumeClaim.claimName })] : [],
  );
}
