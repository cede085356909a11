/** The fields of built-in kinds that the controllers read. */
import type { KubeObject } from '../../kube/object.ts';
import { EVACUATING_LABEL } from '../../render/labels.ts';

interface WorkloadCondition {
  type: string;
  status: string;
  reason?: string;
  message?: string;
}

export interface Deployment extends KubeObject {
  /** Set when the object enters the store: `spec.replicas` is still owned by the apply that created it. */
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

/** Whether a pod's Ready condition is true and it is not being deleted. */
export function isReady(pod: Pod): boolean {
  return (
    pod.metadata.deletionTimestamp === undefined &&
    (pod.status?.conditions ?? []).some(
      (condition) => condition.type === 'Ready' && condition.status === 'True',
    )
  );
}

/** Whether all its containers have ended for good. */
export function isFinished({ status }: Pod): boolean {
  return status?.phase === 'Succeeded' || status?.phase === 'Failed';
}

/**
 * Whether the pod keeps accelerators from others: a kubelet has taken it with some, and it has not ended. Labels say
 * nothing, as a team may put them on any pod. Without a resource every pod counts.
 */
export function holdsAccelerators(pod: Pod, resourceName: string | undefined): boolean {
  if (pod.status?.startTime === undefined || isFinished(pod)) return false;
  if (resourceName === undefined) return true;
  return (pod.spec.containers ?? []).some(
    ({ resources }) => Number(resources?.limits?.[resourceName] ?? 0) > 0,
  );
}

/** Whether the operator has taken the pod out of its ReplicaSet, which has made another since. */
export function isReleased({ metadata }: Pod): boolean {
  return metadata.labels?.[EVACUATING_LABEL] !== undefined;
}
