/** Says conditions by the tables of `conditions.ts`: a reason that a condition does not have does not compile. */
import type { ConditionStatus, ConditionUpdate } from '../kube/conditions.ts';
import { type ConditionCatalog, MODEL_CONDITIONS, POOL_CONDITIONS, type ReasonOf } from './conditions.ts';
import type { Reason } from './reasons.ts';

/** Reasons of a condition whose status follows from them; those with one status, if it is given. */
export type TellingReason<
  C extends ConditionCatalog,
  T extends keyof C,
  S extends ConditionStatus = ConditionStatus,
> = {
  [R in ReasonOf<C, T>]: C[T]['reasons'][R] extends S ? R : never;
}[ReasonOf<C, T>];

interface ConditionSet<C extends ConditionCatalog> {
  /** Types, in the order in which status lists them. */
  order: readonly string[];
  /** A condition whose status is the one that the table has for the reason. */
  say<T extends keyof C & string>(type: T, reason: TellingReason<C, T>, message: string): ConditionUpdate;
  /** A condition whose status depends on more than its reason. */
  sayAs<T extends keyof C & string>(
    type: T,
    status: ConditionStatus,
    reason: ReasonOf<C, T>,
    message: string,
  ): ConditionUpdate;
  /** Ready, and nothing under way. */
  settled(reason: ReasonOf<C, 'Ready'>, message: string): ConditionUpdate[];
  /** Under way; `ready`: it serves meanwhile. */
  reconciling(ready: 'True' | 'False', reason: ReasonOf<C, 'Ready'>, message: string): ConditionUpdate[];
  /** Not Ready until somebody acts. */
  stalled(reason: ReasonOf<C, 'Ready'>, message: string): ConditionUpdate[];
}

/** What says the conditions of one kind. */
function conditionSet<const C extends ConditionCatalog>(catalog: C): ConditionSet<C> {
  const summary = (
    ready: ConditionStatus,
    underWay: ConditionStatus,
    stuck: ConditionStatus,
    reason: Reason,
    message: string,
  ): ConditionUpdate[] => [
    { type: 'Ready', status: ready, reason, message },
    { type: 'Reconciling', status: underWay, reason, message: underWay === 'True' ? message : '' },
    { type: 'Stalled', status: stuck, reason, message: stuck === 'True' ? message : '' },
  ];
  return {
    order: Object.keys(catalog),
    say: (type, reason, message) => ({
      type,
      status: catalog[type]?.reasons[reason as Reason] as ConditionStatus,
      reason: String(reason),
      message,
    }),
    sayAs: (type, status, reason, message) => ({ type, status, reason: String(reason), message }),
    settled: (reason, message) => summary('True', 'False', 'False', reason, message),
    reconciling: (ready, reason, message) => summary(ready, 'True', 'False', reason, message),
    stalled: (reason, message) => summary('False', 'False', 'True', reason, message),
  };
}

/** Says the conditions of InferenceModels. */
export const modelConditions = conditionSet(MODEL_CONDITIONS);

/** Says the conditions of InferencePools. */
export const poolConditions = conditionSet(POOL_CONDITIONS);
