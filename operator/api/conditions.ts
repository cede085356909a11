/**
 * The conditions of both kinds in status order, and the reasons that each may have. The code and the field reference are
 * based on these tables. A new reason belongs in the table of reasons.ts, and in one of its groups.
 */
import type { ConditionStatus } from '../kube/conditions.ts';
import {
  BLOCKERS,
  CACHE_PROBLEMS,
  ENGINE_PROBLEMS,
  MODEL_SUMMARY,
  OUTAGES,
  POOL_SUMMARY,
  REFUSALS,
  type Reason,
  ROUTER_PROBLEMS,
  SCALERS,
  SCALING_PROBLEMS,
} from './reasons.ts';

/** The status of a condition for each reason; `Any` if it depends on more than the reason. */
export type Polarity = ConditionStatus | 'Any';

export interface ConditionDoc {
  /** What the status True means. */
  meaning: string;
  reasons: Partial<Record<Reason, Polarity>>;
}

export type ConditionCatalog = Readonly<Record<string, ConditionDoc>>;

/** Reasons of one condition in a catalog. */
export type ReasonOf<C extends ConditionCatalog, T extends keyof C> = keyof C[T]['reasons'] & Reason;

/** The same status for several reasons. */
function all<const R extends readonly Reason[], const P extends Polarity>(
  reasons: R,
  polarity: P,
): Record<R[number], P> {
  return Object.fromEntries(reasons.map((reason) => [reason, polarity])) as Record<R[number], P>;
}

const RECONCILING = 'The operator or Kubernetes is still working towards the spec (kstatus: in progress).';
const STALLED = 'A user has to act (kstatus: failed). The message has the remedy.';

/** Conditions of an InferenceModel. */
export const MODEL_CONDITIONS = {
  Ready: {
    meaning:
      'The model is in its desired state. A model that sleeps at zero replicas or is suspended is Ready.',
    reasons: all(MODEL_SUMMARY, 'Any'),
  },
  Available: {
    meaning: 'A request would be answered now, if necessary by waking the model.',
    reasons: {
      EnginesReady: 'True',
      // True if a request wakes the model, because requests then wait. Otherwise False.
      EnginesStarting: 'Any',
      Idle: 'True',
      ...all(OUTAGES, 'False'),
      ...all([...BLOCKERS, ...REFUSALS, 'DoesNotFit', ...ENGINE_PROBLEMS, 'Deleting'], 'False'),
    },
  },
  Accepted: {
    meaning: 'The pool accepts the model: namespace, names, budget and spec.',
    reasons: { Accepted: 'True', ...all(BLOCKERS, 'False') },
  },
  MemoryFit: {
    meaning: 'According to the memory plan, the model fits into the accelerators of a replica.',
    reasons: { Fits: 'True', DoesNotFit: 'False', UnknownModel: 'Unknown' },
  },
  ScalingReady: {
    meaning: 'spec.scaling is in force.',
    reasons: {
      ...all(SCALERS, 'True'),
      ...all(SCALING_PROBLEMS, 'False'),
    },
  },
  CacheReady: {
    meaning: 'The response cache of this model is in its desired state, which may be disabled.',
    reasons: { CacheReady: 'True', CacheUnavailable: 'False', Disabled: 'True' },
  },
  WithinBudget: {
    meaning:
      'The namespace has not used up its budget of money in the pool. Absent without `capacity.namespaceBudgets`.',
    reasons: {
      ...all(['WithinBudget', 'BudgetNearlyUsed', 'NoBudget'], 'True'),
      ...all(['BudgetExceeded', 'BudgetExhausted'], 'False'),
    },
  },
  Reconciling: { meaning: RECONCILING, reasons: all(MODEL_SUMMARY, 'Any') },
  Stalled: { meaning: STALLED, reasons: all(MODEL_SUMMARY, 'Any') },
} as const satisfies ConditionCatalog;

/** Conditions of an InferencePool. */
export const POOL_CONDITIONS = {
  Ready: {
    meaning:
      'Routers and cache are in their desired state. Requests reach the models while RouterReady is True.',
    reasons: all(POOL_SUMMARY, 'Any'),
  },
  RouterReady: {
    meaning: 'At least one router is ready.',
    reasons: { RoutersReady: 'True', ...all(['RoutersStarting', ...ROUTER_PROBLEMS], 'False') },
  },
  CacheReady: {
    meaning: 'The response cache is in its desired state, which may be disabled.',
    reasons: {
      ...all(['CacheReady', 'Disabled', 'External'], 'True'),
      ...all(['CacheStarting', ...CACHE_PROBLEMS], 'False'),
    },
  },
  Reconciling: { meaning: RECONCILING, reasons: all(POOL_SUMMARY, 'Any') },
  Stalled: { meaning: STALLED, reasons: all(POOL_SUMMARY, 'Any') },
} as const satisfies ConditionCatalog;

/** The conditions of every kind. */
export const CONDITIONS: Readonly<Record<string, ConditionCatalog>> = {
  InferencePool: POOL_CONDITIONS,
  InferenceModel: MODEL_CONDITIONS,
};

/** Reasons of the summary of a pool. */
export type PoolReason = ReasonOf<typeof POOL_CONDITIONS, 'Ready'>;
