import type { KubeClient } from '../../../operator/kube/client.ts';
import type { Logger } from '../../../operator/kube/logger.ts';
import type { KubeObject, ResourceType } from '../../../operator/kube/object.ts';
import { controllerOf } from '../../../operator/kube/owner-reference.ts';
import { Reflector, type ReflectorOptions } from '../../../operator/kube/reflector.ts';
import {
  CONFIG_MAPS,
  DEPLOYMENTS,
  ENDPOINT_SLICES,
  HORIZONTAL_POD_AUTOSCALERS,
  NODES,
  PERSISTENT_VOLUME_CLAIMS,
  POD_DISRUPTION_BUDGETS,
  PODS,
  REPLICA_SETS,
  SECRETS,
  SERVICES,
} from '../../../operator/kube/resource-types.ts';
import type { Store } from '../../../operator/kube/store.ts';
import type {
  DataObject,
  Deployment,
  EndpointSlice,
  HorizontalPodAutoscaler,
  NodeObject,
  PersistentVolumeClaim,
  Pod,
  PodDisruptionBudget,
  ReplicaSet,
  Service,
} from '../kinds.ts';
import { serviceOfSlice } from '../network/service-network.ts';

/**
 * Watch caches that the controllers, the node agent and the network share: one watch for each kind. Pods, services and
 * disruption budgets have an index `byNamespace`.
 */
export class SharedStores {
  readonly pods: Store<Pod>;
  readonly nodes: Store<NodeObject>;
  readonly deployments: Store<Deployment>;
  readonly replicaSets: Store<ReplicaSet>;
  readonly services: Store<Service>;
  readonly endpointSlices: Store<EndpointSlice>;
  readonly disruptionBudgets: Store<PodDisruptionBudget>;
  readonly autoscalers: Store<HorizontalPodAutoscaler>;
  readonly claims: Store<PersistentVolumeClaim>;
  readonly configMaps: Store<DataObject>;
  readonly secrets: Store<DataObject>;
  readonly #reflectors: Reflector<never>[] = [];

  constructor(client: KubeClient, log: Logger) {
    const follow = <T extends KubeObject>(
      type: ResourceType,
      options: Partial<ReflectorOptions<T>> = {},
    ): Store<T> => {
      const reflector = new Reflector<T>({ client, type, log, ...options });
      this.#reflectors.push(reflector as unknown as Reflector<never>);
      return reflector.store;
    };
    this.pods = follow<Pod>(PODS, {
      indexes: { byNamespace, orphansByNamespace: (pod) => (controllerOf(pod) ? [] : byNamespace(pod)) },
    });
    this.nodes = follow<NodeObject>(NODES);
    this.deployments = follow<Deployment>(DEPLOYMENTS);
    this.replicaSets = follow<ReplicaSet>(REPLICA_SETS);
    this.services = follow<Service>(SERVICES, { indexes: { byNamespace } });
    this.endpointSlices = follow<EndpointSlice>(ENDPOINT_SLICES, { indexes: { byService: serviceOfSlice } });
    this.disruptionBudgets = follow<PodDisruptionBudget>(POD_DISRUPTION_BUDGETS, {
      indexes: { byNamespace },
    });
    this.autoscalers = follow<HorizontalPodAutoscaler>(HORIZONTAL_POD_AUTOSCALERS);
    this.claims = follow<PersistentVolumeClaim>(PERSISTENT_VOLUME_CLAIMS);
    this.configMaps = follow<DataObject>(CONFIG_MAPS);
    this.secrets = follow<DataObject>(SECRETS);
  }

  /** Resolves when all stores have synced. They are updated until the signal aborts. */
  async start(signal: AbortSignal): Promise<void> {
    for (const reflector of this.#reflectors) void reflector.run(signal);
    await Promise.all(this.#reflectors.map((reflector) => reflector.waitForSync(signal)));
  }
}

function byNamespace({ metadata }: KubeObject): string[] {
  return [metadata.namespace ?? ''];
}
