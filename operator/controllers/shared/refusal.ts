/** Turns errors of an apply that retrying cannot fix into a condition and a message for the user. */
import { NotOwnedError } from '../../kube/applier.ts';
import { isKubeError, isNamespaceGone } from '../../kube/errors.ts';
import type { KubeObject } from '../../kube/object.ts';
import { InvalidSpecError } from '../../values/spec-issue.ts';

/** Why nothing was applied. */
export type Refusal = {
  message: string;
  /** Whether the user has to change something. */
  needsUser: boolean;
} & (
  | { condition: 'Accepted'; reason: 'InvalidSpec' }
  | { condition: 'Ready'; reason: 'NameTaken' | 'ApplyRefused' | 'Deleting' }
);

/** Retry interval after the API server has rejected an object. The policy or object in the way is not watched. */
export const REFUSED_RETRY_MS = 30_000;

/** Runs an apply. Returns the reason if it was refused for a cause that shows in status, and rethrows every other error. */
export async function refusalOf(apply: () => Promise<void>): Promise<Refusal | undefined> {
  try {
    await apply();
    return undefined;
  } catch (error) {
    if (error instanceof InvalidSpecError) {
      return { condition: 'Accepted', reason: 'InvalidSpec', message: error.message, needsUser: true };
    }
    if (error instanceof NotOwnedError) {
      return { condition: 'Ready', reason: 'NameTaken', message: error.message, needsUser: true };
    }
    if (isNamespaceGone(error)) return NAMESPACE_DELETED;
    if (isKubeError(error, 'Invalid', 'BadRequest', 'Forbidden')) {
      return {
        condition: 'Ready',
        reason: 'ApplyRefused',
        message: `the API server rejected an object made from this spec: ${error.message}`,
        needsUser: true,
      };
    }
    throw error;
  }
}

/**
 * The refusal for objects in a namespace that is being deleted. Kubernetes first terminates the pods in it, which takes
 * up to the longest grace period, and deletes pools and models only after that.
 */
export function namespaceRefusal(namespace: KubeObject | undefined): Refusal | undefined {
  return namespace?.metadata.deletionTimestamp !== undefined ? NAMESPACE_DELETED : undefined;
}

/** The object goes away with its namespace. No user action is needed. */
const NAMESPACE_DELETED: Refusal = {
  condition: 'Ready',
  reason: 'Deleting',
  message: 'the namespace is being deleted and accepts no new objects',
  needsUser: false,
};
