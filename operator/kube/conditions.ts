/** metav1.Condition, which kubectl, Argo CD and Flux understand. */
import { secondTime } from './clock.ts';

export type ConditionStatus = 'True' | 'False' | 'Unknown';

export interface Condition {
  type: string;
  status: ConditionStatus;
  /** CamelCase and stable, because users and alerts match on it. */
  reason: string;
  message: string;
  observedGeneration?: number | undefined;
  /** When `status` last changed, in whole seconds. */
  lastTransitionTime: string;
}

/** Longest message of a metav1.Condition, in characters. Quoted errors of the API server can be longer. */
const MAX_MESSAGE = 32_768;

/** The desired condition. The transition time is derived. */
export type ConditionUpdate = Omit<Condition, 'lastTransitionTime'>;

export interface SetOptions {
  /** Milliseconds since the epoch. */
  now: number;
  /** Types in listing order. All others follow alphabetically. */
  order?: readonly string[];
}

/**
 * Applies updates to the conditions. Other types stay. `lastTransitionTime` only changes with `status`, so repeating the
 * same updates gives the same list.
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
