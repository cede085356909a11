/** All condition reasons with meaning and remedy, and the groups that conditions use. */

export interface ReasonDoc {
  meaning: string;
  /** Absent if nothing has to be done. */
  remedy?: string;
}

/** By reason. Reasons are part of the API and must not be renamed. */
export const REASONS = {
  Accepted: { meaning: 'The pool accepts the model.' },
  PoolNotFound: {
    meaning: 'The pool in spec.poolRef does not exist.',
    remedy:
      'Create the InferencePool, or correct spec.poolRef. A pool in another namespace needs poolRef.namespace.',
  },
  PoolDeleting: {
    meaning: 'The pool is being deleted.',
    remedy: 'Set another pool in spec.poolRef, or delete the model.',
  },
  NamespaceNotAllowed: {
    meaning: "The pool does not allow models from the model's namespace.",
    remedy: 'Change spec.allowedNamespaces of the pool, or label the namespace so that its selector matches.',
  },
  QuotaExceeded: {
    meaning:
      "With its maximum of replicas the model would exceed the pool's budget or the namespace's quota, or the namespace has too many models.",
    remedy:
      'Lower maxReplicas, delete models, raise spec.capacity of the pool, or set spec.capacity.overcommit.',
  },
  ServedNameConflict: {
    meaning: 'Another model of the pool has one of the names, or was deleted seconds ago and had it.',
    remedy: 'Choose other names in spec.model.servedNames.',
  },
  InvalidSpec: {
    meaning:
      'The combined spec of pool and model is invalid, for example because parallel sizes do not match the accelerators or the heads of the model. Existing engines keep running.',
    remedy: 'Correct the field that the message names.',
  },
  NameTaken: {
    meaning: 'An object with a name that the operator needs exists and has another owner.',
    remedy: 'Delete or rename the object that the message names, or rename the model or pool.',
  },
  ApplyRefused: {
    meaning:
      'The API server rejected an object made from the spec, because of validation, a policy or a quota.',
    remedy: 'Change what the message names. The operator retries every 30 seconds.',
  },
  Fits: { meaning: 'Weights and at least one sequence of maxModelLen tokens fit into the accelerators.' },
  DoesNotFit: {
    meaning: 'Weights and one sequence of maxModelLen tokens do not fit into the accelerators of a replica.',
    remedy: 'Lower maxModelLen, use a quantized checkpoint, or use a pool with more or larger accelerators.',
  },
  UnknownModel: {
    meaning: 'The model is not in the catalog, so its memory was not planned.',
    remedy: 'Set spec.model.facts to plan its memory. The model is served in any case.',
  },
  EnginesReady: { meaning: 'All desired engines are ready.' },
  EnginesStarting: { meaning: 'Engines are starting, and none is ready yet.' },
  RoutesPending: {
    meaning: 'No router is ready yet, or not all routers have loaded the routes of the model.',
  },
  RolloutInProgress: { meaning: 'Pods are being replaced after a change.' },
  ScalingUp: { meaning: 'Some engines serve, and more are starting.' },
  Degraded: {
    meaning:
      'It serves, but some engines or routers, or the cache, do not run. The message has the reason and the remedy.',
    remedy: 'Look up the reason at the beginning of the message.',
  },
  Idle: { meaning: 'The model sleeps at zero replicas. The next request wakes it.' },
  WaitingForAccelerators: {
    meaning: 'Other models use the whole budget of the pool. The model waits in the queue.',
    remedy: 'Raise spec.capacity of the pool, or the priority of the model.',
  },
  WakeTimeout: {
    meaning: 'No engine became ready within admission.wakeTimeout after a wake.',
    remedy: 'Raise admission.wakeTimeout if the model needs longer, else read the log of the engine.',
  },
  Internal: { meaning: "The operator's autoscaler scales between 1 and maxReplicas." },
  NoReplicas: {
    meaning: 'There are no replicas, and requests do not wake the model.',
    remedy: 'Raise spec.scaling.replicas, or allow the model to wake with minReplicas.',
  },
  Suspended: { meaning: 'spec.suspend is true.', remedy: 'Set spec.suspend to false to serve again.' },
  WithinBudget: {
    meaning: 'The namespace has used less of its budget than the share from which on it is warned.',
  },
  BudgetNearlyUsed: {
    meaning: 'The namespace has used so much of its budget of the month that it is warned.',
    remedy: 'Let models sleep or use less, or raise capacity.namespaceBudgets of the pool.',
  },
  BudgetExceeded: {
    meaning: 'The namespace has used up its budget of the month. Its models go on.',
    remedy: 'Let models sleep or use less, or raise capacity.namespaceBudgets of the pool.',
  },
  BudgetExhausted: {
    meaning:
      'The namespace has used up its budget of the month, so its models in the pool have released their accelerators, and requests get 402.',
    remedy: 'Wait for the next month, or raise capacity.namespaceBudgets of the pool.',
  },
  NoBudget: { meaning: 'The pool has no budget of money for the namespace any more.' },
  Unschedulable: {
    meaning: 'A pod cannot be scheduled, usually because there are not enough accelerators.',
    remedy:
      "Add nodes with the accelerator, or correct the pool's nodeSelector and tolerations. The message quotes the scheduler.",
  },
  NodeNotReady: {
    meaning:
      'The node of a pod does not report to Kubernetes, which replaces the pod elsewhere five minutes after it lost the node.',
    remedy: 'Repair or delete the node that the message names.',
  },
  VolumeMountFailed: {
    meaning: 'A volume cannot be mounted, usually because a claim, ConfigMap or Secret is missing.',
    remedy:
      'Create the object that the message names in the namespace of the pods, or correct the name in the spec.',
  },
  PodsRefused: {
    meaning: 'Kubernetes rejects the pods, because of a ResourceQuota, a policy or an admission webhook.',
    remedy: 'Change the quota or the policy that the message names.',
  },
  ImagePullFailed: {
    meaning: 'The image cannot be pulled.',
    remedy:
      'For engines, correct spec.engine.image or add spec.template.imagePullSecrets. For a pool, correct spec.router.image or spec.responseCache.redis.managed.image.',
  },
  ContainerConfigError: {
    meaning: 'A container cannot start, usually because a Secret or ConfigMap of its environment is missing.',
    remedy: 'Create the object that the message names.',
  },
  EngineCrashed: {
    meaning: 'vLLM exited.',
    remedy: 'The message has the last lines of the log, and the command to read more.',
  },
  RouterCrashed: {
    meaning: 'The router processes of the pool exit.',
    remedy: 'The message has the last lines of the log, and the command to read more.',
  },
  CacheCrashed: {
    meaning: 'The Redis of the pool exits. Requests are answered without the cache.',
    remedy: 'The message has the last lines of the log, and the command to read more.',
  },
  RoutersNotReady: {
    meaning: 'No router of the pool is ready, so no request reaches the model.',
    remedy: 'See the conditions of the pool.',
  },
  ProgressDeadlineExceeded: {
    meaning: 'Pods did not become ready in time. For engines, the limit depends on engine.startupTimeout.',
    remedy: 'Raise engine.startupTimeout if the model needs longer, else read the log.',
  },
  FixedReplicas: { meaning: 'The number of replicas is fixed.' },
  HPA: {
    meaning:
      'A HorizontalPodAutoscaler scales between 1 and maxReplicas, on the metric that the operator serves.',
  },
  HPAMetricsUnavailable: {
    meaning: 'spec.scaling.mode is HPA, and the HPA gets no metric, so the replicas do not change.',
    remedy: 'Set spec.scaling.mode to Auto or Internal, or fix the problem in the message.',
  },
  AnotherAutoscaler: {
    meaning:
      'Another autoscaler targets the Deployment or the model too, so the number of replicas oscillates.',
    remedy:
      'Delete the HorizontalPodAutoscaler or ScaledObject that the message names, or set spec.scaling.mode to External.',
  },
  RoutersReady: { meaning: 'Routers are ready.' },
  RoutersStarting: { meaning: 'Routers are starting.' },
  CacheReady: { meaning: 'Answers are cached.' },
  CacheStarting: { meaning: 'Redis is starting. Requests are answered without the cache.' },
  CacheUnavailable: {
    meaning: "The pool's cache is not ready. Requests are answered without it.",
    remedy: 'See the condition CacheReady of the pool.',
  },
  Disabled: { meaning: 'The response cache is disabled.' },
  External: {
    meaning: 'The Redis of the pool is external, or an external autoscaler sets the replicas of the model.',
  },
  Deleting: {
    meaning:
      'The object is being deleted and waits for the objects in the message, or its namespace is being deleted.',
    remedy: 'Delete the models that still use the pool, or move them to another pool.',
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
export const POD_PROBLEMS = [
  'Unschedulable',
  'NodeNotReady',
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
  'BudgetExhausted',
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
  'BudgetExhausted',
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
  'BudgetNearlyUsed',
  'BudgetExceeded',
  'BudgetExhausted',
  ...SCALING_PROBLEMS,
]);

/** Whether a reason is a failure. Its events have type Warning. */
export function isFailure(reason: string): boolean {
  return FAILURES.has(reason);
}
