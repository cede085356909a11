/** Creates conditions from the tables in `conditions.ts`. A reason that does not belong to a condition does not compile. */
import type { ConditionStatus, ConditionUpdate } from '../kube/conditions.ts';
import { type ConditionCatalog, MODEL_CONDITIONS, POOL_CONDITIONS, type ReasonOf } from './conditions.ts';
import type { Reason } from './reasons.ts';

/** Reasons of a condition that determine its status, optionally only those with the given status. */
export type ReasonWithStatus<
  C extends ConditionCatalog,
  T extends keyof C,
  S extends ConditionStatus = ConditionStatus,
> = {
  [R in ReasonOf<C, T>]: C[T]['reasons'][R] extends S ? R : never;
}[ReasonOf<C, T>];

interface ConditionSet<C extends ConditionCatalog> {
  /** Types in status order. */
  order: readonly string[];
  /** A condition with the status that the table defines for the reason. */
  condition<T extends keyof C & string>(
    type: T,
    reason: ReasonWithStatus<C, T>,
    message: string,
  ): ConditionUpdate;
  /** A condition whose status depends on more than its reason. */
  conditionAs<T extends keyof C & string>(
    type: T,
    status: ConditionStatus,
    reason: ReasonOf<C, T>,
    message: string,
  ): ConditionUpdate;
  /** Ready, and nothing in progress. */
  settled(reason: ReasonOf<C, 'Ready'>, message: string): ConditionUpdate[];
  /** In progress. `ready`: whether it serves meanwhile. */
  reconciling(ready: 'True' | 'False', reason: ReasonOf<C, 'Ready'>, message: string): ConditionUpdate[];
  /** Not Ready until a user acts. */
  stalled(reason: ReasonOf<C, 'Ready'>, message: string): ConditionUpdate[];
}

/** The condition factory of one kind. */
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
    condition: (type, reason, message) => ({
      type,
      status: catalog[type]?.reasons[reason as Reason] as ConditionStatus,
      reason: String(reason),
      message,
    }),
    conditionAs: (type, status, reason, message) => ({ type, status, reason: String(reason), message }),
    settled: (reason, message) => summary('True', 'False', 'False', reason, message),
    reconciling: (ready, reason, message) => summary(ready, 'True', 'False', reason, message),
    stalled: (reason, message) => summary('False', 'False', 'True', reason, message),
  };
}

/** Conditions of InferenceModels. */
export const modelConditions = conditionSet(MODEL_CONDITIONS);

/** Conditions of InferencePools. */
export const poolConditions = conditionSet(POOL_CONDITIONS);
