/** The informer caches that all controllers read. There is one watch per resource type and selector. */
import type { Registry } from 'prom-client';
import {
  INFERENCE_MODELS,
  INFERENCE_POOLS,
  type InferenceModel,
  type InferencePool,
} from '../../api/types.ts';
import type { KubeClient } from '../../kube/client.ts';
import type { Logger } from '../../kube/logger.ts';
import type { KubeObject, ObjectKey, ResourceType } from '../../kube/object.ts';
import { dropBulk, Reflector } from '../../kube/reflector.ts';
import {
  CONFIG_MAPS,
  DEPLOYMENTS,
  ENDPOINT_SLICES,
  HORIZONTAL_POD_AUTOSCALERS,
  INGRESSES,
  NAMESPACES,
  NETWORK_POLICIES,
  PERSISTENT_VOLUME_CLAIMS,
  POD_DISRUPTION_BUDGETS,
  PODS,
  REPLICA_SETS,
  SERVICE_ACCOUNTS,
  SERVICES,
} from '../../kube/resource-types.ts';
import { poolKeyOf } from '../../model/pool-key.ts';
import { type ClaimModes, claimNames } from '../../model/shared-claims.ts';
import { COMPONENT_LABEL, MODEL_LABEL, POOL_LABEL, POOL_NAMESPACE_LABEL } from '../../render/labels.ts';
import { ApiKeyRoom } from '../../router/api-key-room.ts';
import { API_KEYS_LABEL, type ApiKeyConfigMap } from '../../router/api-keys.ts';
import type { EndpointSlice } from '../../router/endpoints-from-slices.ts';
import { identityOf, isShort } from './identity-of.ts';
import { scaleTarget, scaleTargetsOf } from './scale-target.ts';
import { trimConfigMap } from './trim-config-map.ts';
import { trimPod } from './trim-pod.ts';
import type { Autoscaler, ConfigMap, Deployment, Pod, Service, VolumeClaim } from './workloads.ts';

export const MANAGED_BY_SELECTOR = 'app.kubernetes.io/managed-by=vllm-operator';

/** One field manager per concern, so that server-side apply never takes over a field by accident. */
export const FIELD_MANAGER = 'vllm-operator';
export const SCALING_FIELD_MANAGER = 'vllm-operator-scaling';
export const STATUS_FIELD_MANAGER = 'vllm-operator-status';

export type ClusterState = ReturnType<typeof createClusterState>;

interface ClusterStateOptions {
  client: KubeClient;
  log: Logger;
  registry: Registry;
}

const MODEL_INDEXES = {
  byPool: (model: InferenceModel) => [poolKeyOf(model)],
  byPoolAndNamespace: (model: InferenceModel) => [`${poolKeyOf(model)}/${model.metadata.namespace ?? ''}`],
  byUid: ({ metadata }: InferenceModel) => [metadata.uid ?? ''],
  byNamespace: ({ metadata }: InferenceModel) => [metadata.namespace ?? ''],
  byScaleTarget: scaleTargetsOf,
  byClaim: claimKeys,
};

/** Declares the reflectors. The manager runs them. */
export function createClusterState(source: ClusterStateOptions) {
  const managed = <T extends KubeObject>(
    type: ResourceType,
    more: { transform?: (object: T) => T; indexes?: Record<string, (object: T) => string[]> } = {},
  ) => new Reflector<T>({ ...source, type, labelSelector: MANAGED_BY_SELECTOR, ...more });

  return {
    pools: new Reflector<InferencePool>({
      ...source,
      type: INFERENCE_POOLS,
      indexes: { byNamespace: (pool) => [pool.metadata.namespace ?? ''] },
    }),
    models: new Reflector<InferenceModel>({
      ...source,
      type: INFERENCE_MODELS,
      indexes: MODEL_INDEXES,
    }),
    namespaces: new Reflector<KubeObject>({ ...source, type: NAMESPACES, metadataOnly: true }),
    apiKeys: apiKeyConfigMaps(source),
    deployments: managed<Deployment>(DEPLOYMENTS, { transform: noteReplicasOwner }),
    pods: managed<Pod>(PODS, {
      transform: trimPod,
      indexes: {
        byModel,
        byNode: ({ spec }) => (spec.nodeName ? [spec.nodeName] : []),
        byRouterPool: routerPoolKeys,
        byCachePool: cachePoolKeys,
      },
    }),
    // Metadata only: owner references are all that is read, and the status of a ReplicaSet changes with every pod.
    replicaSets: new Reflector<KubeObject>({
      ...source,
      type: REPLICA_SETS,
      labelSelector: `${MANAGED_BY_SELECTOR},${COMPONENT_LABEL} in (router,cache)`,
      metadataOnly: true,
    }),
    services: managed<Service>(SERVICES),
    configMaps: managed<ConfigMap>(CONFIG_MAPS, { transform: trimConfigMap }),
    serviceAccounts: managed<KubeObject>(SERVICE_ACCOUNTS),
    // PersistentVolumeClaims that users created. Only the access modes are cached, and those never change.
    userClaims: new Reflector<VolumeClaim>({
      ...source,
      type: PERSISTENT_VOLUME_CLAIMS,
      transform: onlyAccessModes,
    }),
    volumeClaims: managed<KubeObject>(PERSISTENT_VOLUME_CLAIMS),
    disruptionBudgets: managed<KubeObject>(POD_DISRUPTION_BUDGETS),
    networkPolicies: managed<KubeObject>(NETWORK_POLICIES),
    autoscalers: managed<Autoscaler>(HORIZONTAL_POD_AUTOSCALERS),
    otherAutoscalers: new Reflector<Autoscaler>({
      ...source,
      type: HORIZONTAL_POD_AUTOSCALERS,
      labelSelector: MANAGED_BY_SELECTOR.replace('=', '!='),
      transform: onlyScaleTarget,
      indexes: { byTarget: scaleTarget },
    }),
    ingresses: managed<KubeObject>(INGRESSES),
    endpointSlices: managed<EndpointSlice>(ENDPOINT_SLICES, { indexes: { byModel } }),
  };
}

/** Keys of the PersistentVolumeClaims of users that a model mounts; none of a spec that no API server would take. */
function claimKeys({ metadata: { namespace }, spec }: InferenceModel): string[] {
  try {
    return claimNames(spec).map((name) => `${namespace}/${name}`);
  } catch {
    // The reconcile of the model says what is wrong. Here it would end the watch of all models.
    return [];
  }
}

/** Looks up the access modes of PersistentVolumeClaims in a namespace. */
export function claimModesOf(state: ClusterState, namespace: string): ClaimModes {
  return (name) => state.userClaims.store.get({ namespace, name })?.spec.accessModes;
}

function apiKeyConfigMaps(source: ClusterStateOptions): Reflector<ApiKeyConfigMap> {
  const room = new ApiKeyRoom();
  const reflector = new Reflector<ApiKeyConfigMap>({
    ...source,
    type: CONFIG_MAPS,
    labelSelector: `${API_KEYS_LABEL}=true`,
    transform: (configMap) => room.trim(configMap),
  });
  reflector.store.subscribe(({ old, new: now }) => {
    if (old && old.metadata.uid !== now?.metadata.uid) room.forget(old.metadata);
  });
  return reflector;
}

function onlyScaleTarget({ apiVersion, kind, metadata, spec }: Autoscaler): Autoscaler {
  const target = spec?.scaleTargetRef ?? {};
  return {
    apiVersion,
    kind,
    metadata: identityOf(metadata),
    spec: { scaleTargetRef: isShort(target) ? target : {} },
  };
}

function onlyAccessModes({ apiVersion, kind, metadata, spec }: VolumeClaim): VolumeClaim {
  const modes = spec.accessModes && { accessModes: [...new Set(spec.accessModes)] };
  return { apiVersion, kind, metadata: identityOf(metadata), spec: { ...modes } };
}

/**
 * Key of the pool that the labels of an object name. Labels count only in the pool's own namespace, because anyone can
 * set them elsewhere.
 */
export function poolKeys({ metadata: { labels, namespace } }: KubeObject): string[] {
  const name = labels?.[POOL_LABEL];
  return name && labels[POOL_NAMESPACE_LABEL] === namespace ? [`${namespace}/${name}`] : [];
}

/** Key of the pool whose router the object is, or belongs to, according to its labels. */
export function routerPoolKeys(object: KubeObject): string[] {
  return object.metadata.labels?.[COMPONENT_LABEL] === 'router' ? poolKeys(object) : [];
}

/** Key of the pool whose Redis the object is, or belongs to, according to its labels. */
export function cachePoolKeys(object: KubeObject): string[] {
  return object.metadata.labels?.[COMPONENT_LABEL] === 'cache' ? poolKeys(object) : [];
}

/** Key of the model that the labels of an object name, in the object's namespace. */
export function byModel({ metadata: { labels, namespace } }: KubeObject): string[] {
  const name = labels?.[MODEL_LABEL];
  return name ? [`${namespace}/${name}`] : [];
}

/** Keys of the pools whose models the object belongs to, according to its labels. */
export function poolKeysOfModel(state: ClusterState, object: KubeObject): string[] {
  return byModel(object).flatMap((key) => {
    const model = state.models.store.get(key);
    return model ? [poolKeyOf(model)] : [];
  });
}

/** All pods with the label of the model, in any phase. */
export function podsOf(state: ClusterState, model: ObjectKey): Pod[] {
  return state.pods.store.byIndex('byModel', `${model.namespace}/${model.name}`);
}

interface ManagedFieldsEntry {
  manager?: string;
  operation?: string;
  fieldsV1?: { 'f:spec'?: { 'f:replicas'?: unknown } };
}

/** Reduces managedFields of a Deployment to one fact: whether the operator's apply still owns `spec.replicas`. */
export function noteReplicasOwner<T extends KubeObject>(deployment: T): T {
  const managedFields = deployment.metadata.managedFields ?? [];
  const ownsReplicas = (managedFields as ManagedFieldsEntry[]).some(
    (entry) =>
      entry.manager === FIELD_MANAGER &&
      entry.operation === 'Apply' &&
      entry.fieldsV1?.['f:spec']?.['f:replicas'] !== undefined,
  );
  return { ...dropBulk(deployment), replicasOwnedByApply: ownsReplicas };
}
