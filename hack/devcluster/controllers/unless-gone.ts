import type { Reconcile } from '../../../operator/kube/controller.ts';
import { isKubeError } from '../../../operator/kube/errors.ts';

/** Makes it no failure when an object goes while it is worked on: the event of its deletion brings the key back. */
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
