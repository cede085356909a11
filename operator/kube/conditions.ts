/** metav1.Condition: what an object says about itself, in the form that kubectl, Argo CD and Flux understand. */
import { secondTime } from './clock.ts';

export type ConditionStatus = 'True' | 'False' | 'Unknown';

export interface Condition {
  type: string;
  status: ConditionStatus;
  /** CamelCase, stable: users and alerts match on it. */
  reason: string;
  message: string;
  observedGeneration?: number | undefined;
  /** When `status` last changed, in whole seconds. */
  lastTransitionTime: string;
}

/** Longest message that metav1.Condition allows; an API server's refusal quotes what it refuses, and can be longer. */
const MAX_MESSAGE = 32_768;

/** A condition as it should be now; when it became so is worked out. */
export type ConditionUpdate = Omit<Condition, 'lastTransitionTime'>;

export interface SetOptions {
  /** Milliseconds since the epoch. */
  now: number;
  /** Types in the order in which to list them; all others follow in the order of their names. */
  order?: readonly string[];
}

/**
 * The conditions after these updates. Types that are not updated stay. `lastTransitionTime` moves only when `status`
 * changes, so that the same updates again give the same list.
 */
export function setConditions(
  existing: readonly Condition[] | undefined,
  updates: readonly ConditionUpdate[],
  { now, order = [] }: SetOptions,
): Condition[] {
  const byType = new Map((existing ?? []).map((condition) => [condition.type, condition]));
  for (const update of updates) {
    const old = byType.get(update.type);
    const lastTransitionTime = old?.status === update.status ? old.lastTransitionTime : secondTime(now);
    const message = update.message.slice(0, MAX_MESSAGE);
    byType.set(update.type, { ...update, message, lastTransitionTime });
  }
  const rank = (type: string) => (order.includes(type) ? order.indexOf(type) : order.length);
  return [...byType.values()].sort((a, b) => rank(a.type) - rank(b.type) || (a.type < b.type ? -1 : 1));
}

export function findCondition(
  conditions: readonly Condition[] | undefined,
  type: string,
): Condition | undefined {
  return conditions?.find((condition) => condition.type === type);
}

export function isTrue(conditions: readonly Condition[] | undefined, type: string): boolean {
  return findCondition(conditions, type)?.status === 'True';
}
