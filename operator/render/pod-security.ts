/** Security contexts that the Pod Security Standard `restricted` admits. */

import type { PodSettings } from '../api/pod-settings.ts';

/** Users and groups that the operator chooses for a pod. */
export interface PodIdentity {
  user?: number;
  group?: number;
  supplementalGroups?: readonly number[];
}

/**
 * Of a pod: users and groups of the identity, and those of the settings over them. Where there is no user, the image or
 * the platform chooses.
 */
export function podSecurity(
  { user, group, supplementalGroups = [] }: PodIdentity = {},
  settings?: PodSettings['securityContext'],
): object {
  const groups = [...new Set([...supplementalGroups, ...(settings?.supplementalGroups ?? [])])];
  return {
    runAsNonRoot: true,
    ...(user === undefined ? {} : { runAsUser: user }),
    ...(group === undefined ? {} : { runAsGroup: group, fsGroup: group }),
    // Changing the owner of hundreds of GiB of weights takes minutes.
    fsGroupChangePolicy: 'OnRootMismatch',
    ...settings,
    ...(groups.length === 0 ? {} : { supplementalGroups: groups }),
    seccompProfile: { type: 'RuntimeDefault' },
  };
}

/** Of every container of the operator: nothing to escalate with, and a root file system that cannot change. */
export const CONTAINER_SECURITY = {
  allowPrivilegeEscalation: false,
  capabilities: { drop: ['ALL'] },
  readOnlyRootFilesystem: true,
} as const;

/** An init container or sidecar of a user with what `restricted` wants. The checks have refused what goes beyond it. */
export function restricted(container: Readonly<Record<string, unknown>>): object {
  const context = Object(container.securityContext) as { capabilities?: object };
  return {
    ...container,
    securityContext: {
      allowPrivilegeEscalation: false,
      ...context,
      capabilities: { ...context.capabilities, drop: ['ALL'] },
    },
  };
}
