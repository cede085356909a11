/** Whether a budget of money stops a model. */
import type { InferenceModel } from '../api/types.ts';
import { findCondition } from '../kube/conditions.ts';

/**
 * Whether the status says that the budget of the namespace is used up and stops its models. The status, because that
 * outlives the operator: a new one must not start engines before it knows what was spent.
 */
export function isStoppedByBudget({ status }: Pick<InferenceModel, 'status'>): boolean {
  return findCondition(status?.conditions, 'WithinBudget')?.reason === 'BudgetExhausted';
}
