import type { KubeClient } from '../../../operator/kube/client.ts';
import type { EventRecorder } from '../../../operator/kube/events.ts';
import type { Logger } from '../../../operator/kube/logger.ts';
import type { Store } from '../../../operator/kube/store.ts';
import type { EndpointSlice, Service } from '../network/service.ts';
import type { NodeObject } from '../node/node-spec.ts';
import type { Pod } from '../node/pod.ts';
import type { HorizontalPodAutoscaler } from './horizontal-pod-autoscaler.ts';
import type { PersistentVolumeClaim } from './persistent-volume-claim.ts';
import type { PodDisruptionBudget } from './pod-disruption-budget.ts';
import type { Deployment, ReplicaSet } from './workload.ts';

/** Local copies that the controllers share. Pods, services and disruption budgets have an index `byNamespace`. */
export interface ClusterStores {
  pods: Store<Pod>;
  nodes: Store<NodeObject>;
  deployments: Store<Deployment>;
  replicaSets: Store<ReplicaSet>;
  services: Store<Service>;
  endpointSlices: Store<EndpointSlice>;
  disruptionBudgets: Store<PodDisruptionBudget>;
  autoscalers: Store<HorizontalPodAutoscaler>;
  claims: Store<PersistentVolumeClaim>;
}

/** What every controller is given. */
export interface ControllerContext {
  client: KubeClient;
  stores: ClusterStores;
  events: EventRecorder;
  log: Logger;
  now: () => Date;
}
