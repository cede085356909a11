/** The Pod Security Standard `restricted`, as far as a pod template can break it. */

interface Container {
  name: string;
  securityContext?: {
    allowPrivilegeEscalation?: boolean;
    capabilities?: { drop?: readonly string[]; add?: readonly string[] };
    privileged?: boolean;
    readOnlyRootFilesystem?: boolean;
  };
}

export interface PodSpec {
  hostNetwork?: boolean;
  hostPID?: boolean;
  hostIPC?: boolean;
  automountServiceAccountToken?: boolean;
  enableServiceLinks?: boolean;
  terminationGracePeriodSeconds?: number;
  securityContext?: { runAsNonRoot?: boolean; runAsUser?: number; seccompProfile?: { type: string } };
  containers: (Container & Record<string, unknown>)[];
  volumes?: Record<string, unknown>[];
}

const VOLUME_TYPES = [
  'configMap',
  'csi',
  'downwardAPI',
  'emptyDir',
  'ephemeral',
  'image',
  'persistentVolumeClaim',
  'projected',
  'secret',
];

/** What a pod spec does that the standard, or our stricter rule of a read-only root, forbids. */
export function violations(spec: PodSpec): string[] {
  const pod = spec.securityContext;
  return [
    ...(spec.hostNetwork || spec.hostPID || spec.hostIPC ? ['host namespaces'] : []),
    ...(pod?.runAsNonRoot === true && pod.runAsUser !== 0 ? [] : ['runs as root']),
    ...(pod?.seccompProfile?.type === 'RuntimeDefault' ? [] : ['no seccomp profile']),
    ...spec.containers.flatMap(({ name, securityContext: own }) => [
      ...(own?.allowPrivilegeEscalation === false ? [] : [`${name}: privilege escalation`]),
      ...(own?.capabilities?.drop?.includes('ALL') && !own.capabilities.add ? [] : [`${name}: capabilities`]),
      ...(own?.privileged ? [`${name}: privileged`] : []),
      ...(own?.readOnlyRootFilesystem ? [] : [`${name}: writable root`]),
    ]),
    ...(spec.volumes ?? []).flatMap((volume) =>
      Object.keys(volume).every((key) => key === 'name' || VOLUME_TYPES.includes(key))
        ? []
        : [`volume ${String(volume.name)}`],
    ),
  ];
}
