/**
 * The conditions of both kinds, in the order in which status lists them, and the reasons that each may have. Emitters, the
 * field reference and warnings are all made from these two tables, so that no reason can be misspelt or mean two things.
 */
import type { ConditionStatus } from '../kube/conditions.ts';
import type { Reason } from './reasons.ts';

/** What a condition says with each reason; `Any` where that depends on more than the reason. */
export type Polarity = ConditionStatus | 'Any';

export interface ConditionDoc {
  /** What `True` means. */
  meaning: string;
  reasons: Partial<Record<Reason, Polarity>>;
}

export type ConditionCatalog = Readonly<Record<string, ConditionDoc>>;

/** Reasons of one condition of a catalog. */
export type ReasonOf<C extends ConditionCatalog, T extends keyof C> = keyof C[T]['reasons'] & Reason;

/** The same status for several reasons. */
function all<const R extends readonly Reason[], const P extends Polarity>(
  reasons: R,
  polarity: P,
): Record<R[number], P> {
  return Object.fromEntries(reasons.map((reason) => [reason, polarity])) as Record<R[number], P>;
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
/** What keeps engines from becoming ready. */
export const ENGINE_PROBLEMS = [...POD_PROBLEMS, 'EngineCrashed'] as const satisfies Reason[];
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

/** Conditions of an InferenceModel. */
export const MODEL_CONDITIONS = {
  Ready: {
    meaning: 'The model is as its spec wants it. A model that sleeps at zero, or is suspended, is Ready.',
    reasons: all(MODEL_SUMMARY, 'Any'),
  },
  Available: {
    meaning: 'A request now would be answered, by waking the model if need be.',
    reasons: {
      EnginesReady: 'True',
      // Requests are held where a request wakes the model, and refused otherwise.
      EnginesStarting: 'Any',
      Idle: 'True',
      ...all(['NoReplicas', 'RoutersNotReady', 'Suspended', 'WakeTimeout'], 'False'),
      ...all([...BLOCKERS, ...REFUSALS, 'DoesNotFit', ...ENGINE_PROBLEMS, 'Deleting'], 'False'),
    },
  },
  Accepted: {
    meaning: 'The pool takes the model: namespace, names, budget and spec.',
    reasons: { Accepted: 'True', ...all(BLOCKERS, 'False') },
  },
  MemoryFit: {
    meaning: 'The memory plan says that the model fits into the accelerators of a replica.',
    reasons: { Fits: 'True', DoesNotFit: 'False', UnknownModel: 'Unknown' },
  },
  ScalingReady: {
    meaning: 'What spec.scaling asks for is in force.',
    reasons: {
      ...all(['FixedReplicas', 'HPA', 'Internal', 'External'], 'True'),
      ...all(['HPAMetricsUnavailable', 'AnotherAutoscaler'], 'False'),
    },
  },
  CacheReady: {
    meaning: 'The response cache is as the spec wants it for this model. One that is off is.',
    reasons: { CacheReady: 'True', CacheUnavailable: 'False', Disabled: 'True' },
  },
  Reconciling: { meaning: RECONCILING, reasons: all(MODEL_SUMMARY, 'Any') },
  Stalled: { meaning: STALLED, reasons: all(MODEL_SUMMARY, 'Any') },
} as const satisfies ConditionCatalog;

/** Conditions of an InferencePool. */
export const POOL_CONDITIONS = {
  Ready: {
    meaning:
      'Routers and cache are as the spec wants them. Requests reach the models while RouterReady is True.',
    reasons: all(POOL_SUMMARY, 'Any'),
  },
  RouterReady: {
    meaning: 'At least one router serves.',
    reasons: { RoutersReady: 'True', ...all(['RoutersStarting', ...ROUTER_PROBLEMS], 'False') },
  },
  CacheReady: {
    meaning: 'The response cache is as the spec wants it. One that is off is.',
    reasons: {
      ...all(['CacheReady', 'Disabled', 'External'], 'True'),
      ...all(['CacheStarting', ...CACHE_PROBLEMS], 'False'),
    },
  },
  Reconciling: { meaning: RECONCILING, reasons: all(POOL_SUMMARY, 'Any') },
  Stalled: { meaning: STALLED, reasons: all(POOL_SUMMARY, 'Any') },
} as const satisfies ConditionCatalog;

/** Reasons that the summary of a pool can have. */
export type PoolReason = ReasonOf<typeof POOL_CONDITIONS, 'Ready'>;
