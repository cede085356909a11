import type { KubeObject } from '../../../operator/kube/object.ts';
import type { LabelSelector } from '../../../operator/values/label-selector.ts';
import type { Condition } from '../node/pod.ts';

/** autoscaling/v2 HorizontalPodAutoscaler. */
export interface HorizontalPodAutoscaler extends KubeObject {
  spec: {
    scaleTargetRef: { apiVersion?: string; kind: string; name: string };
    minReplicas?: number;
    maxReplicas: number;
    metrics?: MetricSpec[];
    behavior?: { scaleUp?: ScalingRules; scaleDown?: ScalingRules };
  };
  status?: {
    currentReplicas?: number;
    desiredReplicas: number;
    lastScaleTime?: string;
    observedGeneration?: number;
    currentMetrics: MetricStatus[] | null;
    conditions?: Condition[];
  };
}

export interface MetricSpec {
  type: string;
  external?: {
    metric: { name: string; selector?: LabelSelector };
    target: { type: string; value?: string; averageValue?: string };
  };
}

export interface MetricStatus {
  type: string;
  external?: {
    metric: { name: string; selector?: LabelSelector };
    current: { value?: string; averageValue?: string };
  };
}

export interface ScalingRules {
  stabilizationWindowSeconds?: number;
  selectPolicy?: 'Max' | 'Min' | 'Disabled';
  policies?: { type: 'Pods' | 'Percent'; value: number; periodSeconds: number }[];
  tolerance?: string;
}
