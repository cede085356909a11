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

const RECONCILING =
  'The operator, or Kubernetes, is still working towards the spec (kstatus: in progress). False when settled.';
const STALLED = 'Nothing will change until someone acts (kstatus: failed). The message says what to do.';

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
      // True if a request wakes the model, because requests then wait. Otherwise False.
      EnginesStarting: 'Any',
      Idle: 'True',
      ...all(OUTAGES, 'False'),
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
      ...all(SCALERS, 'True'),
      ...all(SCALING_PROBLEMS, 'False'),
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

/** Reasons of the summary of a pool. */
export type PoolReason = ReasonOf<typeof POOL_CONDITIONS, 'Ready'>;
