/** What the API server will not take, as something to show instead of something to retry blindly. */

import { NotOwnedError } from '../../kube/applier.ts';
import { isKubeError, isNamespaceTerminating } from '../../kube/errors.ts';
import type { KubeObject } from '../../kube/object.ts';
import { InvalidSpecError } from '../../values/spec-issue.ts';

/** Why nothing could be applied. */
export type Refusal = {
  message: string;
  /** Whether a user has to change something. */
  needsUser: boolean;
} & (
  | { condition: 'Accepted'; reason: 'InvalidSpec' }
  | { condition: 'Ready'; reason: 'NameTaken' | 'ApplyRefused' | 'Deleting' }
);

/** What the API server refused is tried again at this pace: the policy or object in the way is not watched. */
export const REFUSED_RETRY_MS = 30_000;

/** Runs an apply; returns why it was refused, if a user has to change that. Throws everything else. */
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
    if (isNamespaceTerminating(error)) return NAMESPACE_DELETED;
    if (isKubeError(error, 'Invalid', 'BadRequest', 'Forbidden')) {
      return {
        condition: 'Ready',
        reason: 'ApplyRefused',
        message: `the API server refuses what the spec leads to: ${error.message}`,
        needsUser: true,
      };
    }
    throw error;
  }
}

/**
 * Why nothing is applied in a namespace that is being deleted. Kubernetes ends its pods first, for as long as the longest
 * of them may take, and deletes pools and models after that.
 */
export function namespaceRefusal(namespace: KubeObject | undefined): Refusal | undefined {
  return namespace?.metadata.deletionTimestamp !== undefined ? NAMESPACE_DELETED : undefined;
}

/** Its namespace goes, and the object with it: nobody has to do anything for that. */
const NAMESPACE_DELETED: Refusal = {
  condition: 'Ready',
  reason: 'Deleting',
  message: 'the namespace is being deleted, and takes no new objects',
  needsUser: false,
};
