/** The fields of built-in kinds that the controllers read. */
import type { KubeObject } from '../../kube/object.ts';
import { controllerOf } from '../../kube/owner-reference.ts';
import { EVACUATING_LABEL } from '../../render/labels.ts';

interface WorkloadCondition {
  type: string;
  status: string;
  reason?: string;
  message?: string;
}

export interface Deployment extends KubeObject {
  /** Set by the reflector: the apply that created the Deployment still owns `spec.replicas`. */
  replicasOwnedByApply?: boolean;
  spec: { replicas?: number; strategy?: { rollingUpdate?: { maxSurge?: number | string } } };
  status?: {
    observedGeneration?: number;
    replicas?: number;
    updatedReplicas?: number;
    readyReplicas?: number;
    availableReplicas?: number;
    conditions?: WorkloadCondition[];
  };
}

interface ContainerState {
  waiting?: { reason?: string; message?: string };
  running?: { startedAt?: string };
  terminated?: {
    exitCode: number;
    reason?: string;
    message?: string;
    startedAt?: string;
    finishedAt?: string;
  };
}

export interface ContainerStatus {
  name: string;
  ready: boolean;
  restartCount: number;
  state?: ContainerState;
  lastState?: ContainerState;
}

export interface Pod extends KubeObject {
  spec: {
    nodeName?: string;
    containers?: { name: string; image?: string; resources?: { limits?: Record<string, string> } }[];
    initContainers?: { name: string; image?: string }[];
    tolerations?: { key?: string; operator?: string; value?: string; effect?: string }[];
  };
  status?: {
    phase?: string;
    podIP?: string;
    podIPs?: { ip: string }[];
    startTime?: string;
    conditions?: (WorkloadCondition & { lastTransitionTime?: string })[];
    initContainerStatuses?: ContainerStatus[];
    containerStatuses?: ContainerStatus[];
  };
}

export interface VolumeClaim extends KubeObject {
  spec: { accessModes?: string[] | undefined };
}

export interface Service extends KubeObject {
  spec: { clusterIP?: string; selector?: Record<string, string>; ports?: { name?: string; port: number }[] };
}

export interface Autoscaler extends KubeObject {
  spec?: { scaleTargetRef?: { kind?: string; name?: string } };
  status?: {
    conditions?: {
      type: string;
      status: string;
      reason?: string;
      message?: string;
      lastTransitionTime?: string;
    }[];
  };
}

export interface ConfigMap extends KubeObject {
  data?: Record<string, string>;
  immutable?: boolean;
}

/** Whether the pod is Ready and not being deleted. */
export function isReady(pod: Pod): boolean {
  return (
    pod.metadata.deletionTimestamp === undefined &&
    (pod.status?.conditions ?? []).some(
      (condition) => condition.type === 'Ready' && condition.status === 'True',
    )
  );
}

/** Whether all containers of the pod have terminated for good. */
export function isFinished({ status }: Pod): boolean {
  return status?.phase === 'Succeeded' || status?.phase === 'Failed';
}

/**
 * Whether the pod occupies accelerators: a kubelet has accepted it, it requests some, and it has not terminated. Labels
 * are not consulted, because a team can set them on any pod. If `resourceName` is undefined, every running pod counts.
 */
export function holdsAccelerators(pod: Pod, resourceName: string | undefined): boolean {
  if (pod.status?.startTime === undefined || isFinished(pod)) return false;
  if (resourceName === undefined) return true;
  return (pod.spec.containers ?? []).some(
    ({ resources }) => Number(resources?.limits?.[resourceName] ?? 0) > 0,
  );
}

/**
 * Whether the operator has released the pod from its ReplicaSet, which has created a replacement. A team can set the label on
 * any of its engines, and those are not replaced as long as a ReplicaSet controls them.
 */
export function isReleased(pod: Pod): boolean {
  return pod.metadata.labels?.[EVACUATING_LABEL] !== undefined && controllerOf(pod)?.kind !== 'ReplicaSet';
}
