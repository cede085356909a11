import type * as k8s from '@kubernetes/client-node';
import type { KubeObject } from '../../operator/kube/object.ts';
import type { LabelRequirement } from '../../operator/values/label-selector.ts';

/** A type of @kubernetes/client-node as JSON has it: times are texts, or null where Go has none. */
type Wire<T> = T extends Date
  ? string | null
  : T extends { key: string; operator: string }
    ? LabelRequirement
    : T extends readonly (infer Item)[]
      ? Wire<Item>[]
      : T extends object
        ? { [Key in keyof T]: Wire<T[Key]> }
        : T;

/** An object of a kind as the API server answers it. */
type Kind<T> = KubeObject & Omit<Wire<T>, keyof KubeObject | 'spec'> & Spec<Wire<T>>;
type Spec<T> = T extends { spec?: infer Value } ? { spec: NonNullable<Value> } : unknown;

export type Pod = Kind<k8s.V1Pod>;
export type PodSpec = Wire<k8s.V1PodSpec>;
export type PodStatus = Wire<k8s.V1PodStatus>;
export type PodTemplate = Wire<k8s.V1PodTemplateSpec>;
export type Condition = Wire<k8s.V1PodCondition>;
export type Container = Wire<k8s.V1Container>;
export type ContainerState = Wire<k8s.V1ContainerState>;
export type ContainerStatus = Wire<k8s.V1ContainerStatus> & {
  state: ContainerState;
  lastState: ContainerState;
};
export type TerminatedState = Wire<k8s.V1ContainerStateTerminated>;
export type EnvVar = NonNullable<Container['env']>[number];
export type Probe = Wire<k8s.V1Probe>;
export type LifecycleHandler = Wire<k8s.V1LifecycleHandler>;
export type HttpGet = NonNullable<LifecycleHandler['httpGet']>;
export type Toleration = NonNullable<PodSpec['tolerations']>[number];
export type Volume = Wire<k8s.V1Volume>;
export type KeyToPath = Wire<k8s.V1KeyToPath>;
/** A source of files: what `projected` lists, and what the volumes of the same names are. */
export type FileSource = Omit<Wire<k8s.V1VolumeProjection>, 'secret'> & {
  /** `secretName` in a volume, `name` in a projection. */
  secret?: Wire<k8s.V1SecretProjection & k8s.V1SecretVolumeSource>;
};
export type NodeObject = Kind<k8s.V1Node>;
export type Service = Kind<k8s.V1Service>;
export type EndpointSlice = Kind<k8s.V1EndpointSlice>;
export type Endpoint = Wire<k8s.V1Endpoint>;
export type EndpointPort = NonNullable<EndpointSlice['ports']>[number];
export type PersistentVolumeClaim = Kind<k8s.V1PersistentVolumeClaim>;
export type PodDisruptionBudget = Kind<k8s.V1PodDisruptionBudget>;
export type Deployment = Kind<k8s.V1Deployment>;
export type DeploymentStatus = Wire<k8s.V1DeploymentStatus>;
export type WorkloadCondition = NonNullable<DeploymentStatus['conditions']>[number];
export type ReplicaSet = Kind<k8s.V1ReplicaSet> & { spec: { template: PodTemplate } };
/** The server writes null where it has no metrics. */
export type AutoscalerStatus = Omit<Wire<k8s.V2HorizontalPodAutoscalerStatus>, 'currentMetrics'> & {
  currentMetrics: MetricStatus[] | null;
};
export type HorizontalPodAutoscaler = Omit<Kind<k8s.V2HorizontalPodAutoscaler>, 'status'> & {
  status?: AutoscalerStatus;
};
export type ScalingRules = Wire<k8s.V2HPAScalingRules>;
export type MetricSpec = Wire<k8s.V2MetricSpec>;
export type MetricStatus = Wire<k8s.V2MetricStatus>;

/** The label that names the Service of an EndpointSlice. */
export const SERVICE_NAME_LABEL = 'kubernetes.io/service-name';

/** core/v1 ConfigMap or Secret: `data` of a Secret is base64. */
export interface DataObject extends KubeObject {
  data?: Record<string, string>;
  binaryData?: Record<string, string>;
}
