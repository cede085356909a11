/** Security contexts that meet the Pod Security Standard `restricted`. */
import type { PodSettings } from '../api/pod-settings.ts';

/** User and group IDs that the operator sets for a pod. */
export interface PodIdentity {
  user?: number;
  group?: number;
  supplementalGroups?: readonly number[];
}

/**
 * Security context of a pod: IDs from `identity`, overridden by the settings. Without a user ID, the image or the platform
 * chooses.
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
    // Changing the group of hundreds of GiB of weights takes minutes.
    fsGroupChangePolicy: 'OnRootMismatch',
    ...settings,
    ...(groups.length === 0 ? {} : { supplementalGroups: groups }),
    seccompProfile: { type: 'RuntimeDefault' },
  };
}

/** Security context of every container of the operator: no privilege escalation and a read-only root file system. */
export const CONTAINER_SECURITY = {
  allowPrivilegeEscalation: false,
  capabilities: { drop: ['ALL'] },
  readOnlyRootFilesystem: true,
} as const;

/**
 * A user's init container or sidecar with the fields that `restricted` requires. Checks have already rejected what exceeds
 * it.
 */
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
