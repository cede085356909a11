/** All condition reasons with meaning and remedy, and the groups that conditions use. */

export interface ReasonDoc {
  meaning: string;
  /** Absent if nothing has to be done. */
  remedy?: string;
}

/** By reason. Reasons are part of the API and must not be renamed. */
export const REASONS = {
  Accepted: { meaning: 'The pool takes the model.' },
  PoolNotFound: {
    meaning: 'The pool that poolRef names does not exist.',
    remedy:
      'Create the InferencePool, or correct spec.poolRef. A pool in another namespace needs poolRef.namespace.',
  },
  PoolDeleting: {
    meaning: 'The pool is being deleted.',
    remedy: 'Name another pool in spec.poolRef, or delete the model.',
  },
  NamespaceNotAllowed: {
    meaning: "The pool does not admit models of the model's namespace.",
    remedy: 'Change spec.allowedNamespaces of the pool, or label the namespace so that its selector matches.',
  },
  QuotaExceeded: {
    meaning:
      "The model at its most replicas would exceed the pool's budget, the namespace's quota, or the models that a namespace may have.",
    remedy:
      'Lower maxReplicas, delete models, raise spec.capacity of the pool, or set spec.capacity.overcommit.',
  },
  ServedNameConflict: {
    meaning: 'Another model of the pool has one of the names, or had it seconds ago.',
    remedy: 'Choose other names in spec.model.servedNames.',
  },
  InvalidSpec: {
    meaning:
      'The specs of pool and model together cannot be rendered, such as parallel sizes that do not match the accelerators or the heads of the model. What ran before keeps running.',
    remedy: 'The message has the field, the value and what to set instead.',
  },
  NameTaken: {
    meaning: "An object that is not the operator's has the name of one that it needs.",
    remedy: 'Delete or rename the object that the message names, or rename the model or pool.',
  },
  ApplyRefused: {
    meaning: 'The API server refuses what the spec leads to: its validation, a policy or a quota.',
    remedy: 'Change what the message names. It is tried again every half minute.',
  },
  Fits: { meaning: 'Weights and at least one sequence of full length fit into the accelerators.' },
  DoesNotFit: {
    meaning: 'Weights and one sequence of full length do not fit into the accelerators of a replica.',
    remedy: 'Lower maxModelLen, use a quantized checkpoint, or take a pool with more or larger accelerators.',
  },
  UnknownModel: {
    meaning: 'The shape of the model is not known, so its memory was not planned.',
    remedy: 'Describe it in spec.model.facts to have it planned; it is served either way.',
  },
  EnginesReady: { meaning: 'All engines that there should be are ready.' },
  EnginesStarting: { meaning: 'Engines are starting, and none is ready yet.' },
  RoutesPending: {
    meaning: 'No router is ready yet, or not every router knows of the model or its engines.',
  },
  RolloutInProgress: { meaning: 'Pods are being replaced after a change.' },
  ScalingUp: { meaning: 'Some engines serve, and more are starting.' },
  Degraded: {
    meaning:
      'It serves, and a part of it does not run: engines, routers or the cache. The message names the reason of that and what to do.',
    remedy: 'Look up the reason that the message begins with.',
  },
  Idle: { meaning: 'The model sleeps at zero replicas, as it may. The next request wakes it.' },
  WaitingForAccelerators: {
    meaning: 'The budget of the pool is used up by others. The model wakes when its turn comes.',
    remedy: 'Raise spec.capacity of the pool, or the priority of the model.',
  },
  WakeTimeout: {
    meaning: 'No engine became ready within admission.wakeTimeout after a wake.',
    remedy: 'Raise admission.wakeTimeout if the model needs longer, else read the log of the engine.',
  },
  Internal: { meaning: 'The operator itself scales between 1 and maxReplicas.' },
  NoReplicas: {
    meaning: 'There are no replicas, so requests are not answered.',
    remedy: 'Raise spec.scaling.replicas, or allow the model to wake with minReplicas.',
  },
  Suspended: { meaning: 'spec.suspend is true.', remedy: 'Set spec.suspend to false to serve again.' },
  Unschedulable: {
    meaning: 'No node can take a pod, for want of accelerators mostly.',
    remedy:
      "Add nodes with the accelerator, or correct the pool's nodeSelector and tolerations. The message is the scheduler's.",
  },
  VolumeMountFailed: {
    meaning: 'A volume cannot be mounted, mostly because a claim, ConfigMap or Secret is missing.',
    remedy: 'Create what the message names in the namespace of the pods, or correct the name in the spec.',
  },
  PodsRefused: {
    meaning: 'Kubernetes refuses to create the pods: a ResourceQuota, a policy or an admission webhook.',
    remedy: 'Change the quota or the policy that the message names.',
  },
  ImagePullFailed: {
    meaning: 'The image cannot be pulled.',
    remedy:
      'Of engines: correct spec.engine.image, or add spec.template.imagePullSecrets. Of a pool: correct spec.router.image or spec.responseCache.redis.managed.image.',
  },
  ContainerConfigError: {
    meaning: 'A container cannot start, mostly because a Secret or ConfigMap of its environment is missing.',
    remedy: 'Create what the message names.',
  },
  EngineCrashed: {
    meaning: 'vLLM ended by itself.',
    remedy: 'The message has the last lines of its log, and how to read more.',
  },
  RouterCrashed: {
    meaning: 'The routers of the pool end by themselves.',
    remedy: 'The message has the last lines of their log, and the command to read more.',
  },
  CacheCrashed: {
    meaning: 'The Redis of the pool ends by itself. Requests are answered without the cache.',
    remedy: 'The message has the last lines of its log, and the command to read more.',
  },
  RoutersNotReady: {
    meaning: 'No router of the pool is ready, so that no request reaches the model.',
    remedy: 'Look at the conditions of the pool.',
  },
  ProgressDeadlineExceeded: {
    meaning: 'Pods did not become ready in time: engines within engine.startupTimeout.',
    remedy: 'Raise engine.startupTimeout if the model needs longer, else read the log.',
  },
  FixedReplicas: { meaning: 'The number of replicas is fixed.' },
  HPA: {
    meaning:
      'A HorizontalPodAutoscaler scales between 1 and maxReplicas, on the metric that the operator serves.',
  },
  HPAMetricsUnavailable: {
    meaning: 'spec.scaling.mode is HPA, and the HPA gets no value: replicas are kept.',
    remedy: 'Set spec.scaling.mode to Auto or Internal, or mend what the message names.',
  },
  AnotherAutoscaler: {
    meaning:
      'Somebody else has an autoscaler for the Deployment or the model too, so that the number of replicas goes back and forth.',
    remedy:
      'Delete the HorizontalPodAutoscaler or ScaledObject that the message names, or set spec.scaling.mode to External.',
  },
  RoutersReady: { meaning: 'Routers serve.' },
  RoutersStarting: { meaning: 'Routers are starting.' },
  CacheReady: { meaning: 'Answers are cached.' },
  CacheStarting: { meaning: 'Redis is starting. Requests are answered without the cache.' },
  CacheUnavailable: {
    meaning: "The pool's cache is not ready. Requests are answered without it.",
    remedy: 'Look at the condition CacheReady of the pool.',
  },
  Disabled: { meaning: 'The response cache is off.' },
  External: { meaning: 'Someone else provides it: the Redis of the pool, or the replicas of the model.' },
  Deleting: {
    meaning:
      'The object is being deleted and waits for what the message names, or its namespace is being deleted.',
    remedy: 'Delete the models that still use the pool, or move them to another.',
  },
} as const satisfies Record<string, ReasonDoc>;

export type Reason = keyof typeof REASONS;

/** Why a pool does not accept a model. */
export const BLOCKERS = [
  'PoolNotFound',
  'PoolDeleting',
  'NamespaceNotAllowed',
  'QuotaExceeded',
  'ServedNameConflict',
  'InvalidSpec',
] as const satisfies Reason[];
/** Why the objects of a spec cannot be applied. */
export const REFUSALS = ['NameTaken', 'ApplyRefused'] as const satisfies Reason[];
/** Why pods of any workload do not become ready. */
const POD_PROBLEMS = [
  'Unschedulable',
  'VolumeMountFailed',
  'PodsRefused',
  'ImagePullFailed',
  'ContainerConfigError',
  'ProgressDeadlineExceeded',
] as const satisfies Reason[];
/** Why engines do not become ready. */
export const ENGINE_PROBLEMS = [...POD_PROBLEMS, 'EngineCrashed'] as const satisfies Reason[];
/** Why routers do not become ready. */
export const ROUTER_PROBLEMS = [...POD_PROBLEMS, 'RouterCrashed'] as const satisfies Reason[];
/** Why the managed Redis does not become ready. */
export const CACHE_PROBLEMS = [...POD_PROBLEMS, 'CacheCrashed'] as const satisfies Reason[];
/** Reasons of Ready, Reconciling and Stalled of a model. */
export const MODEL_SUMMARY = [
  'EnginesReady',
  'EnginesStarting',
  'RoutesPending',
  'RolloutInProgress',
  'ScalingUp',
  'Degraded',
  'Idle',
  'WaitingForAccelerators',
  'WakeTimeout',
  'Suspended',
  ...BLOCKERS,
  'DoesNotFit',
  ...REFUSALS,
  ...ENGINE_PROBLEMS,
  'Deleting',
] as const satisfies Reason[];
/** Reasons of Ready, Reconciling and Stalled of a pool. */
export const POOL_SUMMARY = [
  'RoutersReady',
  'RoutersStarting',
  'RolloutInProgress',
  'CacheStarting',
  'Degraded',
  'InvalidSpec',
  ...REFUSALS,
  ...ROUTER_PROBLEMS,
  'CacheCrashed',
  'Deleting',
] as const satisfies Reason[];

/** What scales a model. */
export const SCALERS = ['FixedReplicas', 'HPA', 'Internal', 'External'] as const satisfies Reason[];
/** Why spec.scaling is not in force. */
export const SCALING_PROBLEMS = ['HPAMetricsUnavailable', 'AnotherAutoscaler'] as const satisfies Reason[];
/** Why requests get no response, in addition to problems of engines. */
export const OUTAGES = [
  'NoReplicas',
  'RoutersNotReady',
  'Suspended',
  'WakeTimeout',
] as const satisfies Reason[];

const FAILURES: ReadonlySet<string> = new Set<Reason>([
  ...BLOCKERS,
  ...REFUSALS,
  ...ENGINE_PROBLEMS,
  'RouterCrashed',
  'CacheCrashed',
  'Degraded',
  'DoesNotFit',
  'WakeTimeout',
  'RoutersNotReady',
  ...SCALING_PROBLEMS,
]);

/** Whether a reason is a failure. Its events have type Warning. */
export function isFailure(reason: string): boolean {
  return FAILURES.has(reason);
}
