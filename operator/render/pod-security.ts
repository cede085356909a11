/** Security contexts that the Pod Security Standard `restricted` admits. */

/** Of a pod that runs as a user and group. */
export function podSecurity(user: number, group: number, supplementalGroups: readonly number[] = []): object {
  return {
    runAsNonRoot: true,
    runAsUser: user,
    runAsGroup: group,
    fsGroup: group,
    // Changing the owner of hundreds of GiB of weights takes minutes.
    fsGroupChangePolicy: 'OnRootMismatch',
    ...(supplementalGroups.length === 0 ? {} : { supplementalGroups: [...supplementalGroups] }),
    seccompProfile: { type: 'RuntimeDefault' },
  };
}

/** Of every container: nothing to escalate with, and a root file system that cannot change. */
export const CONTAINER_SECURITY = {
  allowPrivilegeEscalation: false,
  capabilities: { drop: ['ALL'] },
  readOnlyRootFilesystem: true,
} as const;
