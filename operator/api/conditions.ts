/** The condition types of both kinds and the reasons each may have. The field reference is made from them. */
import type { Reason } from './reasons.ts';

export interface ConditionDoc {
  type: string;
  /** What `True` means. */
  meaning: string;
  reasons: readonly Reason[];
}

const RECONCILING =
  'The operator, or Kubernetes, is still working towards the spec (kstatus: in progress). False when settled.';
const STALLED = 'Nothing will change until someone acts (kstatus: failed). The message says what to do.';

const BLOCKERS = [
  'PoolNotFound',
  'PoolDeleting',
  'NamespaceNotAllowed',
  'QuotaExceeded',
  'ServedNameConflict',
  'InvalidSpec',
] as const satisfies Reason[];
const REFUSALS = ['NameTaken', 'ApplyRefused'] as const satisfies Reason[];
const POD_PROBLEMS = [
  'Unschedulable',
  'VolumeMountFailed',
  'PodsRefused',
  'ImagePullFailed',
  'ContainerConfigError',
  'ProgressDeadlineExceeded',
] as const satisfies Reason[];
const ENGINE_PROBLEMS = [...POD_PROBLEMS, 'EngineCrashed'] as const satisfies Reason[];
const ROUTER_PROBLEMS = [...POD_PROBLEMS, 'RouterCrashed'] as const satisfies Reason[];
const CACHE_PROBLEMS = [...POD_PROBLEMS, 'CacheCrashed'] as const satisfies Reason[];
const MODEL_SUMMARY = [
  'EnginesReady',
  'EnginesStarting',
  'RoutesPending',
  'RolloutInProgress',
  'ScalingUp',
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
const POOL_SUMMARY = [
  'RoutersReady',
  'RoutersStarting',
  'RolloutInProgress',
  'CacheStarting',
  'InvalidSpec',
  ...REFUSALS,
  ...ROUTER_PROBLEMS,
  'CacheCrashed',
  'Deleting',
] as const satisfies Reason[];

const FAILURES: ReadonlySet<string> = new Set<Reason>([
  ...BLOCKERS,
  ...REFUSALS,
  ...ENGINE_PROBLEMS,
  'RouterCrashed',
  'CacheCrashed',
  'DoesNotFit',
  'WakeTimeout',
  'RoutersNotReady',
  'HPAMetricsUnavailable',
  'AnotherAutoscaler',
]);

/** Whether a reason tells of something that went wrong: events of it are warnings. */
export function isFailure(reason: string): boolean {
  return FAILURES.has(reason);
}

/** Conditions of an InferenceModel, in the order in which status lists them. */
export const MODEL_CONDITIONS = [
  {
    type: 'Ready',
    meaning: 'The model is as its spec wants it. A model that sleeps at zero, or is suspended, is Ready.',
    reasons: MODEL_SUMMARY,
  },
  {
    type: 'Available',
    meaning: 'A request now would be answered, by waking the model if need be.',
    reasons: [
      'EnginesReady',
      'EnginesStarting',
      'Idle',
      'NoReplicas',
      'RoutersNotReady',
      'Suspended',
      'WakeTimeout',
      ...BLOCKERS,
      ...REFUSALS,
      'DoesNotFit',
      ...ENGINE_PROBLEMS,
      'Deleting',
    ],
  },
  {
    type: 'Accepted',
    meaning: 'The pool takes the model: namespace, names, budget and spec.',
    reasons: ['Accepted', ...BLOCKERS],
  },
  {
    type: 'MemoryFit',
    meaning: 'The memory plan says that the model fits into the accelerators of a replica.',
    reasons: ['Fits', 'DoesNotFit', 'UnknownModel'],
  },
  {
    type: 'ScalingReady',
    meaning: 'What spec.scaling asks for is in force.',
    reasons: ['FixedReplicas', 'HPA', 'Internal', 'External', 'HPAMetricsUnavailable', 'AnotherAutoscaler'],
  },
  {
    type: 'CacheReady',
    meaning: 'The response cache is as the spec wants it for this model.',
    reasons: ['CacheReady', 'CacheUnavailable', 'Disabled'],
  },
  { type: 'Reconciling', meaning: RECONCILING, reasons: MODEL_SUMMARY },
  { type: 'Stalled', meaning: STALLED, reasons: MODEL_SUMMARY },
] as const satisfies readonly ConditionDoc[];

/** Conditions of an InferencePool, in the order in which status lists them. */
export const POOL_CONDITIONS = [
  {
    type: 'Ready',
    meaning:
      'Routers and cache are as the spec wants them. Requests reach the models while RouterReady is True.',
    reasons: POOL_SUMMARY,
  },
  {
    type: 'RouterReady',
    meaning: 'At least one router serves.',
    reasons: ['RoutersReady', 'RoutersStarting', ...ROUTER_PROBLEMS],
  },
  {
    type: 'CacheReady',
    meaning: 'The response cache is as the spec wants it.',
    reasons: ['CacheReady', 'CacheStarting', 'Disabled', 'External', ...CACHE_PROBLEMS],
  },
  { type: 'Reconciling', meaning: RECONCILING, reasons: POOL_SUMMARY },
  { type: 'Stalled', meaning: STALLED, reasons: POOL_SUMMARY },
] as const satisfies readonly ConditionDoc[];
