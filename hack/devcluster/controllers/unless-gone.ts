import type { Reconcile } from '../../../operator/kube/controller.ts';
import { isKubeError } from '../../../operator/kube/errors.ts';

/** Ignores NotFound errors of a reconcile: an object was deleted meanwhile, and the deletion event requeues the key. */
export function unlessGone(reconcile: Reconcile): Reconcile {
  return async (key, context) => {
    try {
      return await reconcile(key, context);
    } catch (error) {
      if (isKubeError(error, 'NotFound')) return undefined;
      throw error;
    }
  };
}
